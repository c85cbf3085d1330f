"""How a credential changes, by examples and over random lives against a model that decides by meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.support.credentials import (
    CATALOGUE,
    NOW,
    READ_KEYS,
    READ_REPORTS,
    REPORTS,
    SEQUENCES,
    addresses,
    credential,
    organization,
    secret,
    terms,
)
from tokenserver.clock import DAY, HOUR
from tokenserver.domain.credential import (
    Credential,
    CredentialSecret,
    HasEnded,
    HasNoSecret,
    IsDisabled,
    SecretState,
    Status,
)
from tokenserver.domain.generation import Generation, NoRotation, RotationOpen
from tokenserver.domain.grant import Asked, decide
from tokenserver.domain.liveness import Endings, ended_by, reference
from tokenserver.domain.restrictions import Restrictions
from tokenserver.errors import InvalidClient

GRACE = 60
EXPIRY = NOW + 365 * DAY
MONTH = 30 * DAY


def rotated() -> Credential:
    return credential().rotated(secret("second"), NOW, GRACE)


def authenticating(some: Credential, now: float) -> set[str]:
    return {each.id for each in some.secrets if each.state_at(now) is not SecretState.ENDED}


STATUSES = {
    "a new one is active": (credential(), NOW, Status.ACTIVE),
    "31 days before its expiry it is active": (credential(), EXPIRY - 31 * DAY, Status.ACTIVE),
    "a second before the last 30 days it is active": (credential(), EXPIRY - MONTH - 1, Status.ACTIVE),
    "on the second the last 30 days begin it expires soon": (credential(), EXPIRY - MONTH, Status.EXPIRES_SOON),
    "in its last millisecond it expires soon": (credential(), EXPIRY - 0.001, Status.EXPIRES_SOON),
    "on the second of its expiry it has expired": (credential(), EXPIRY, Status.EXPIRED),
    "without an expiry it is active for ever": (credential(restrictions=terms()), NOW + 10**9, Status.ACTIVE),
    "disabled": (credential().disabled(NOW), NOW, Status.DISABLED),
    "disabled shows before expired": (credential().disabled(NOW), EXPIRY, Status.DISABLED),
    "disabled shows before expires soon": (credential().disabled(NOW), EXPIRY - 1, Status.DISABLED),
    "enabled again": (credential().disabled(NOW).enabled(NOW), NOW, Status.ACTIVE),
    "revoked": (credential().revoked(NOW, "leaked"), NOW, Status.REVOKED),
    "revoked shows before disabled": (credential().disabled(NOW).revoked(NOW, ""), NOW, Status.REVOKED),
    "revoked shows before expired": (credential().revoked(NOW, ""), EXPIRY, Status.REVOKED),
    "an expired one can still be revoked": (credential().revoked(EXPIRY, ""), EXPIRY, Status.REVOKED),
    "a deleted one counts as revoked": (credential().deleted(NOW), NOW, Status.REVOKED),
}


@pytest.mark.parametrize(("some", "now", "status"), STATUSES.values(), ids=STATUSES.keys())
def test_the_status_is_the_gravest_that_applies_to_the_second(some: Credential, now: float, status: Status) -> None:
    assert some.status(now) is status


SECRETS = {
    "a new credential: its secret": (credential(), NOW, {"secret_first"}),
    "regenerated: the new one only": (credential().regenerated(secret("second"), NOW), NOW, {"secret_second"}),
    "rotated: both": (rotated(), NOW, {"secret_first", "secret_second"}),
    "rotated, in the last millisecond of the grace period: both": (
        rotated(),
        NOW + GRACE - 0.001,
        {"secret_first", "secret_second"},
    ),
    "rotated, on the second the grace period ends: the new one": (rotated(), NOW + GRACE, {"secret_second"}),
    "finished early: the new one": (rotated().rotation_finished(NOW + 1), NOW + 1, {"secret_second"}),
    "cancelled: the old one, for good": (rotated().rotation_cancelled(NOW + 1), NOW + 10**6, {"secret_first"}),
    "regenerated in a grace period: neither of the two": (
        rotated().regenerated(secret("third"), NOW),
        NOW,
        {"secret_third"},
    ),
    "rotated again after the grace period: the last two": (
        rotated().rotated(secret("third"), NOW + GRACE, GRACE),
        NOW + GRACE,
        {"secret_second", "secret_third"},
    ),
    "disabled in a grace period: both, for when it is enabled": (
        rotated().disabled(NOW),
        NOW,
        {"secret_first", "secret_second"},
    ),
    "revoked: both, so that whoever proves one is told why it is refused": (
        rotated().revoked(NOW, "leaked"),
        NOW,
        {"secret_first", "secret_second"},
    ),
    "leaked in a grace period: neither of the two, and no other": (rotated().leaked(NOW), NOW, set()),
    "regenerated after a leak: the new one only": (
        credential().leaked(NOW).regenerated(secret("second"), NOW),
        NOW,
        {"secret_second"},
    ),
    "deleted: none": (rotated().deleted(NOW), NOW, set()),
}


@pytest.mark.parametrize(("some", "now", "expected"), SECRETS.values(), ids=SECRETS.keys())
def test_exactly_these_secrets_can_be_proven(some: Credential, now: float, expected: set[str]) -> None:
    assert authenticating(some, now) == expected


Change = Callable[[Credential], Credential]
CHANGES: dict[str, Change] = {
    "regenerate": lambda some: some.regenerated(secret("new"), NOW),
    "leak": lambda some: some.leaked(NOW),
    "rotate": lambda some: some.rotated(secret("new"), NOW, GRACE),
    "disable": lambda some: some.disabled(NOW),
    "enable": lambda some: some.disabled(NOW).enabled(NOW),
    "restrict": lambda some: some.restricted(terms(), CATALOGUE, NOW),
    "finish a rotation": lambda some: some.rotated(secret("new"), NOW, GRACE).rotation_finished(NOW),
    "cancel a rotation": lambda some: some.rotated(secret("new"), NOW, GRACE).rotation_cancelled(NOW),
}
FINAL = {
    "revoked": lambda: credential().revoked(NOW, "leaked"),
    "deleted": lambda: credential().deleted(NOW),
    "expired": lambda: credential(restrictions=terms(expires_at=NOW)),
    "expired while disabled": lambda: credential(restrictions=terms(expires_at=NOW), disabled_at=NOW - 1),
    "expired in a grace period": lambda: replace(rotated(), restrictions=terms(expires_at=NOW)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("ended", FINAL.values(), ids=FINAL.keys())
def test_what_has_ended_cannot_be_changed_back(ended: Callable[[], Credential], change: Change) -> None:
    with pytest.raises(HasEnded) as refusal:
        change(ended())
    assert "final" in refusal.value.public
    assert refusal.value.status == 409


@pytest.mark.parametrize("ended", FINAL.values(), ids=FINAL.keys())
def test_what_has_ended_has_no_rotation_to_end(ended: Callable[[], Credential]) -> None:
    for end in (Credential.rotation_finished, Credential.rotation_cancelled):
        with pytest.raises(HasEnded):
            end(ended(), NOW)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_change_raises_the_version(change: Change) -> None:
    assert change(credential()).version > credential().version


UNCHANGED: dict[str, Change] = {
    "disabling twice": lambda some: some.disabled(NOW + 9),
    "the same name": lambda some: some.renamed(some.name, some.description),
    "the same terms": lambda some: some.restricted(replace(some.restrictions), CATALOGUE, NOW + 9),
}


@pytest.mark.parametrize("change", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_what_changes_nothing_is_no_change(change: Change) -> None:
    disabled = credential().disabled(NOW)
    assert change(disabled) is disabled


def test_enabling_revoking_and_deleting_twice_change_nothing() -> None:
    enabled, revoked, deleted = credential(), credential().revoked(NOW, "leaked"), credential().deleted(NOW)
    assert enabled.enabled(NOW) is enabled
    assert revoked.revoked(NOW + 9, "another reason") is revoked
    assert deleted.deleted(NOW + 9) is deleted


def test_renaming_disturbs_nobody() -> None:
    renamed = credential().renamed("weekly export", "every Sunday")
    assert (renamed.name, renamed.description) == ("weekly export", "every Sunday")
    assert renamed.generation == credential().generation
    assert renamed.version == credential().version + 1


def test_a_rotation_inside_a_grace_period_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(RotationOpen, match="finish or cancel it first, or regenerate"):
        rotated().rotated(secret("third"), NOW + GRACE - 0.001, GRACE)


def test_a_disabled_credential_is_not_rotated_but_told_to_enable_first() -> None:
    with pytest.raises(IsDisabled, match="enable it first"):
        credential().disabled(NOW).rotated(secret("second"), NOW, GRACE)


def test_after_a_leak_there_is_nothing_to_rotate() -> None:
    with pytest.raises(HasNoSecret):
        credential().leaked(NOW).rotated(secret("second"), NOW, GRACE)


def test_a_disabled_credential_whose_secret_leaks_stays_disabled() -> None:
    assert credential().disabled(NOW).leaked(NOW).status(NOW) is Status.DISABLED


def test_a_disabled_credential_can_be_regenerated_and_stays_disabled() -> None:
    regenerated = credential().disabled(NOW).regenerated(secret("second"), NOW)
    assert regenerated.status(NOW) is Status.DISABLED
    assert authenticating(regenerated, NOW) == {"secret_second"}


@pytest.mark.parametrize("end", [Credential.rotation_finished, Credential.rotation_cancelled])
@pytest.mark.parametrize(
    ("some", "now"),
    [(credential(), NOW), (rotated(), NOW + GRACE)],
    ids=["without a rotation", "on the second the grace period is over"],
)
def test_only_an_open_rotation_can_be_ended(
    end: Callable[[Credential, float], Credential], some: Credential, now: float
) -> None:
    with pytest.raises(NoRotation):
        end(some, now)


def test_enabling_does_not_bring_tokens_back() -> None:
    before = credential()
    after = before.disabled(NOW).enabled(NOW)
    assert before.generation.current < after.generation.floor_at(NOW)


def test_a_rotation_survives_disabling_and_enabling_with_its_end_in_place() -> None:
    enabled = rotated().disabled(NOW + 1).enabled(NOW + 2)
    retiring = enabled.secret_in(SecretState.RETIRING, NOW + 2)
    assert retiring is not None
    assert retiring.expires_at == enabled.generation.next_floor_at == NOW + GRACE


NARROWED_WHEN = {
    "a role goes": (terms(roles=frozenset({"admin"})), terms(), True),
    "a role comes": (terms(), terms(roles=frozenset({"admin"})), False),
    "a grant goes": (terms(grants=(READ_REPORTS, READ_KEYS)), terms(grants=(READ_KEYS,)), True),
    "a grant comes": (terms(), terms(grants=(READ_REPORTS, READ_KEYS)), False),
    "addresses are restricted": (terms(), terms(allowed_ips=addresses("192.0.2.0/24")), True),
    "addresses are freed": (terms(allowed_ips=addresses("192.0.2.0/24")), terms(), False),
}


@pytest.mark.parametrize(("old", "new", "bumps"), NARROWED_WHEN.values(), ids=NARROWED_WHEN.keys())
def test_narrowing_ends_tokens_and_widening_disturbs_nobody(old: Restrictions, new: Restrictions, bumps: bool) -> None:
    before = credential(restrictions=old)
    after = before.restricted(new, CATALOGUE, NOW)
    assert after.restrictions == new
    assert (before.generation.current < after.generation.floor_at(NOW)) is bumps


def test_what_is_known_to_narrow_bumps_whatever_it_looks_like() -> None:
    before = credential()
    assert before.narrowed(before.restrictions, NOW).generation.floor_at(NOW) > before.generation.current


def test_a_grace_period_that_is_over_stays_over_once_anything_was_written_even_if_the_clock_steps_back() -> None:
    narrowed = rotated().restricted(terms(token_lifetime=60), CATALOGUE, NOW + GRACE)
    assert authenticating(narrowed, NOW + GRACE - 30) == {"secret_second"}


def test_the_retiring_secret_mints_the_floor_and_the_current_one_the_current_number() -> None:
    some = rotated()
    new, old = some.secrets
    assert some.generation_minted_by(old, NOW) == some.generation.floor == credential().generation.current
    assert some.generation_minted_by(new, NOW) == some.generation.current


@pytest.mark.parametrize("state", [SecretState.CURRENT, SecretState.RETIRING, SecretState.ENDED])
def test_secret_in_finds_the_one_secret_of_each_state(state: SecretState) -> None:
    some = rotated().regenerated(secret("third"), NOW).rotated(secret("fourth"), NOW, GRACE)
    found = some.secret_in(state, NOW)
    assert found is not None
    assert found.state_at(NOW) is state
    assert credential(secrets=()).secret_in(state, NOW) is None


def test_a_secret_shows_nothing_of_its_digest() -> None:
    shown = repr(secret(digest=b"digest-bytes", hint="tss_…hint"))
    assert "digest-bytes" not in shown
    assert "hint" not in shown
    assert "digest-bytes" not in repr(credential(secrets=(secret(digest=b"digest-bytes"),)))


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is out, as the model remembers it."""

    generation: int
    secret: str
    epoch: int
    terms: Restrictions
    expires_at: int
    credential_ref: str
    organization_ref: str = "organization"
    organization_generation: int = 1
    token_id: str = "jti"
    key_id: str = "kid"


OPEN, CLOSED = None, addresses("192.0.2.0/24")
HERE = "192.0.2.7"


class Lives(RuleBasedStateMachine):
    """Random lives of a credential, beside a model that decides by meaning.

    The model knows which secrets work and until when, and counts an epoch whenever everything that is out must end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = float(NOW)
        self.credential = credential(restrictions=terms(expires_at=NOW + 400, token_lifetime=60))
        self.works: dict[str, float] = {"secret_first": float("inf")}
        self.current = "secret_first"
        self.count = 1
        self.epoch = 0
        self.disabled = self.gone = False
        self.tokens: list[Token] = []
        self.endings = Endings()

    def is_final(self) -> bool:
        expires_at = self.credential.restrictions.expires_at
        return self.gone or (expires_at is not None and self.now >= expires_at)

    def in_grace(self) -> bool:
        return len(self.working()) == 2

    def working(self) -> set[str]:
        return {name for name, end in self.works.items() if self.now < end}

    def become(self, after: Credential) -> None:
        before, self.credential = self.credential, after
        if after is not before:
            assert after.version == before.version + 1, "one change, one version"
        told = after.generation.floors_to_tell(before.generation, self.now)
        self.endings = self.endings.and_also([(reference(after.client_id), floor) for floor in told], {}, ())

    def refuses(self, change: Callable[[], Credential], *, unless: bool, error: type[Exception]) -> bool:
        """Whether the change was refused, as it must be once the credential has ended, or with `error`."""
        expected: type[Exception] | None = HasEnded if self.is_final() else None if unless else error
        if expected is None:
            return False
        with pytest.raises(expected):
            change()
        return True

    def new_secret(self) -> CredentialSecret:
        self.count += 1
        return secret(str(self.count))

    @rule()
    def regenerate(self) -> None:
        new = self.new_secret()
        if not self.refuses(lambda: self.credential.regenerated(new, self.now), unless=True, error=HasEnded):
            self.become(self.credential.regenerated(new, self.now))
            self.works, self.current = {new.id: float("inf")}, new.id
            self.epoch += 1

    @rule()
    def leak(self) -> None:
        if not self.refuses(lambda: self.credential.leaked(self.now), unless=True, error=HasEnded):
            self.become(self.credential.leaked(self.now))
            self.works, self.current = {}, ""
            self.epoch += 1

    @rule(grace=st.integers(1, 90))
    def rotate(self, grace: int) -> None:
        new = self.new_secret()
        wrong = IsDisabled if self.disabled else RotationOpen if self.working() else HasNoSecret
        refused = self.refuses(
            lambda: self.credential.rotated(new, self.now, grace),
            unless=not self.disabled and len(self.working()) == 1,
            error=wrong,
        )
        if not refused:
            self.become(self.credential.rotated(new, self.now, grace))
            whole = int(self.now) + (self.now != int(self.now))
            self.works = {self.current: whole + grace, new.id: float("inf")}
            self.current = new.id

    @rule()
    def finish(self) -> None:
        if not self.refuses(
            lambda: self.credential.rotation_finished(self.now), unless=self.in_grace(), error=NoRotation
        ):
            self.become(self.credential.rotation_finished(self.now))
            self.works = {self.current: float("inf")}

    @rule()
    def cancel(self) -> None:
        if not self.refuses(
            lambda: self.credential.rotation_cancelled(self.now), unless=self.in_grace(), error=NoRotation
        ):
            self.become(self.credential.rotation_cancelled(self.now))
            self.current = next(iter(self.working() - {self.current}))
            self.works = {self.current: float("inf")}
            self.epoch += 1

    @rule()
    def disable(self) -> None:
        if not self.refuses(lambda: self.credential.disabled(self.now), unless=True, error=HasEnded):
            self.become(self.credential.disabled(self.now))
            self.epoch += not self.disabled
            self.disabled = True

    @rule()
    def enable(self) -> None:
        if not self.refuses(lambda: self.credential.enabled(self.now), unless=True, error=HasEnded):
            self.become(self.credential.enabled(self.now))
            self.disabled = False

    @rule(how=st.sampled_from(["revoke", "delete"]))
    def end(self, how: str) -> None:
        if self.now < NOW + 100:
            return  # or most lives would be short
        if how == "revoke":
            self.become(self.credential.revoked(self.now, "leaked"))
        else:
            self.become(self.credential.deleted(self.now))
            self.works = {}
        self.epoch += 1
        self.gone = True

    @rule(
        roles=st.frozensets(st.sampled_from(["admin", "auditor"])),
        closed=st.booleans(),
        lifetime=st.sampled_from([60, 90]),
        expires_in=st.sampled_from([300, 400]),
    )
    def restrict(self, *, roles: frozenset[str], closed: bool, lifetime: int, expires_in: int) -> None:
        old = self.credential.restrictions
        new = terms(
            roles=roles, allowed_ips=CLOSED if closed else OPEN, token_lifetime=lifetime, expires_at=NOW + expires_in
        )
        if new == old:
            assert self.credential.restricted(new, CATALOGUE, self.now) is self.credential
            return
        if self.refuses(lambda: self.credential.restricted(new, CATALOGUE, self.now), unless=True, error=HasEnded):
            return
        self.become(self.credential.restricted(new, CATALOGUE, self.now))
        assert old.expires_at is not None
        takes_away = (
            bool(old.roles - new.roles)
            or (old.allowed_ips is None and new.allowed_ips is not None)
            or new.token_lifetime < old.token_lifetime
            or NOW + expires_in < old.expires_at
        )
        self.epoch += takes_away

    @rule(milliseconds=st.integers(1, 40_000))
    def time_passes(self, milliseconds: int) -> None:
        self.now = round(self.now + milliseconds / 1000, 3)

    @rule(milliseconds=st.sampled_from([-1, 0]))
    def time_passes_to_the_end_of_the_grace_period(self, milliseconds: int) -> None:
        if self.in_grace():
            self.now = max(self.now, round(min(self.works.values()) + milliseconds / 1000, 3))

    @rule(which=st.integers(0, 9))
    def ask_for_a_token(self, which: int) -> None:
        """With any secret that ever was."""
        used = self.credential.secrets[which % len(self.credential.secrets)]
        works = not self.is_final() and not self.disabled and used.id in self.working()
        if not works:
            with pytest.raises(InvalidClient):
                decide(self.credential, used, organization(), Asked(HERE), {REPORTS: frozenset()}, self.now)
            return
        permit = decide(self.credential, used, organization(), Asked(HERE), {REPORTS: frozenset()}, self.now)
        restrictions = self.credential.restrictions
        assert restrictions.expires_at is not None
        lifetime_ends = int(self.now) + restrictions.token_lifetime
        assert permit.expires_at == min(lifetime_ends, restrictions.expires_at, self.works[used.id])
        self.tokens.append(
            Token(
                permit.generation,
                used.id,
                self.epoch,
                restrictions,
                permit.expires_at,
                reference(self.credential.client_id),
            )
        )

    @invariant()
    def the_same_secrets_work(self) -> None:
        assert authenticating(self.credential, self.now) == self.working()

    @invariant()
    def a_retiring_secret_and_its_generation_end_together(self) -> None:
        for each in self.credential.secrets:
            if each.state is SecretState.RETIRING:
                assert each.expires_at == self.credential.generation.next_floor_at

    @invariant()
    def the_status_is_as_meant(self) -> None:
        status = self.credential.status(self.now)
        if self.gone:
            assert status is Status.REVOKED
        elif self.disabled:
            assert status is Status.DISABLED
        elif self.is_final():
            assert status is Status.EXPIRED
        else:
            assert status is Status.EXPIRES_SOON

    @invariant()
    def tokens_live_exactly_as_long_as_they_may(self) -> None:
        for token in self.tokens:
            may = token.epoch == self.epoch and self.now < self.works.get(token.secret, 0)
            here = token.generation >= self.credential.generation.floor_at(self.now)
            there = ended_by(token, self.endings, self.now) is None
            in_time = self.now < token.expires_at
            assert (here and in_time) == (there and in_time) == (may and in_time)

    @invariant()
    def a_generation_tells_of_every_live_token_which_secret_minted_it_and_of_no_token_another(self) -> None:
        for token in self.tokens:
            minter = self.credential.minter_of(token.generation)
            assert minter is None or minter.id == token.secret
            assert minter is not None or token.epoch != self.epoch or self.now >= self.works.get(token.secret, 0)

    @invariant()
    def no_live_token_holds_more_than_its_credential(self) -> None:
        now, restrictions = self.now, self.credential.restrictions
        for token in self.tokens:
            if now < token.expires_at and ended_by(token, self.endings, now) is None:
                assert token.terms.roles <= restrictions.roles
                assert token.terms.allowed_ips is not None or restrictions.allowed_ips is None
                assert restrictions.expires_at is not None
                assert token.expires_at <= restrictions.expires_at
                assert not self.disabled
                assert not self.gone


Lives.TestCase.settings = SEQUENCES
test_credentials_live_as_a_model_that_decides_by_meaning_says = Lives.TestCase


def test_a_grace_period_of_the_longest_kind_outlives_no_token() -> None:
    some = credential(restrictions=terms(token_lifetime=HOUR)).rotated(secret("second"), NOW, 10)
    permit = decide(some, some.secrets[1], organization(), Asked(HERE), {REPORTS: frozenset()}, NOW)
    assert permit.expires_at == NOW + 10
    assert permit.generation == Generation().current
