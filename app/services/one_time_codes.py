"""Does the operator hold the phone that was set up? One-time codes of an app (RFC 6238): six digits, half a minute.

The seed is sealed. It counts from the first right code on: nobody locks themselves out by a picture that was not
scanned. A code is taken one step early or late, as clocks differ, and none is taken twice: the step of the last one is
kept, and only a later one is good.
"""

from __future__ import annotations

import hmac
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import pyotp

from app.services.recovery_codes import forget_unless_needed_in, make_first_in
from app.services.sessions import Viewer
from app.services.standing import changing
from app.settings import Settings
from app.store import Store, Transaction
from app.store.sealing import Sealer
from app.store.sign_in import Seed
from tokenserver.clock import Clock
from tokenserver.domain.audit import Event
from tokenserver.errors import Conflict, Fault, InvalidInput

STEP = 30
_SKEW = (-1, 0, 1)
_DIGITS = 6
_GROUP = 4


class CodesAreOn(Conflict):
    code = "one_time_codes_are_on"
    public = "One-time codes are set up. Turn them off first to set up another app."


class NothingBegun(Conflict):
    code = "one_time_codes_not_begun"
    public = "There is nothing to confirm: begin with setting up one-time codes."


@dataclass(frozen=True, slots=True)
class SettingUp:
    """What an app needs to make codes: by picture or typed."""

    uri: str = field(repr=False)
    secret: str = field(repr=False)
    """In groups of four."""
    picture: str = field(repr=False)
    """The URI as a QR code: an SVG element with no style in it."""


class OneTimeCodes:
    def __init__(self, store: Store, sealer: Sealer, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._sealer = sealer
        self._host = urlsplit(settings.issuer).hostname or "tokenserver"
        self._clock = clock

    def begin(self, viewer: Viewer) -> None:
        """A new seed, in place of one that was never confirmed; raises CodesAreOn."""
        with changing(self._store, viewer.caller(), self._clock) as (tx, _):
            kept = tx.sign_in.one_time_codes(viewer.operator.id)
            if kept is not None and kept.since is not None:
                raise CodesAreOn
            sealed = self._sealer.seal(pyotp.random_base32().encode(), _purpose(viewer.operator.id))
            tx.sign_in.set_one_time_codes(viewer.operator.id, Seed(sealed, None, 0))

    def setting_up(self, viewer: Viewer) -> SettingUp:
        """What was begun and not confirmed yet; raises NothingBegun."""
        with self._store.reading() as tx:
            kept = tx.sign_in.one_time_codes(viewer.operator.id)
        if kept is None or kept.since is not None:
            raise NothingBegun
        seed = self._seed(kept, viewer.operator.id)
        uri = pyotp.TOTP(seed).provisioning_uri(name=viewer.operator.email, issuer_name=self._host)
        groups = " ".join(seed[start : start + _GROUP] for start in range(0, len(seed), _GROUP))
        return SettingUp(uri, groups, _picture(uri))

    def confirm(self, viewer: Viewer, code: str) -> Sequence[str]:
        """Turn them on; returns recovery codes where there were none. Raises InvalidInput unless the code is right."""
        caller = viewer.caller()
        with changing(self._store, caller, self._clock) as (tx, now):
            kept = tx.sign_in.one_time_codes(viewer.operator.id)
            if kept is None or kept.since is not None:
                raise NothingBegun
            step = step_of(self._seed(kept, viewer.operator.id), code, kept.step, now)
            if step is None:
                hint = "This is not the code that the app shows now. Is the clock of the phone right?"
                raise InvalidInput([Fault("/code", hint)])
            tx.sign_in.set_one_time_codes(viewer.operator.id, replace(kept, since=int(now), step=step))
            tx.audit.append(caller.did(Event.ONE_TIME_CODES_ENABLED, now))
            return make_first_in(tx, caller, viewer.operator.id, now)

    def disable(self, viewer: Viewer) -> None:
        """Turn them off, or drop what was begun. Their door asks for a fresh proof first."""
        caller, operator_id = viewer.caller(), viewer.operator.id
        with changing(self._store, caller, self._clock) as (tx, now):
            kept = tx.sign_in.one_time_codes(operator_id)
            if kept is None:
                return
            tx.sign_in.set_one_time_codes(operator_id, None)
            if kept.since is not None:
                tx.audit.append(caller.did(Event.ONE_TIME_CODES_DISABLED, now))
                forget_unless_needed_in(tx, operator_id, now)

    def use_in(self, tx: Transaction, operator_id: str, code: str, now: float) -> bool:
        """Whether it is a code of theirs, good now and not used before."""
        kept = tx.sign_in.one_time_codes(operator_id)
        if kept is None or kept.since is None:
            return False
        step = step_of(self._seed(kept, operator_id), code, kept.step, now)
        if step is None:
            return False
        tx.sign_in.set_one_time_codes(operator_id, replace(kept, step=step))
        return True

    def _seed(self, kept: Seed, operator_id: str) -> str:
        return self._sealer.unseal(kept.sealed, _purpose(operator_id)).decode()


def step_of(seed: str, code: str, last: int, now: float) -> int | None:
    """The step whose code this is, later than the last one that was taken; None where it is none of those near now."""
    typed = "".join(code[:100].split())
    if len(typed) != _DIGITS or not typed.isascii():
        return None
    maker, present = pyotp.HOTP(seed), int(now) // STEP
    for step in (present + skew for skew in _SKEW):
        if step > last and hmac.compare_digest(maker.at(step), typed):
            return step
    return None


def _picture(uri: str) -> str:
    import segno  # noqa: PLC0415  for one page that few look at twice

    svg = io.BytesIO()
    segno.make(uri, error="m", micro=False).save(
        svg, kind="svg", xmldecl=False, svgns=False, nl=False, omitsize=True, border=4, svgclass="qr", lineclass=None,
        dark="#000", light="#fff",
    )  # fmt: skip
    return svg.getvalue().decode()


def _purpose(operator_id: str) -> str:
    return f"one-time codes of {operator_id}"
