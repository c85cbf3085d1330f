"""How far is a rotation? What works at this moment, the last use of the old secret, and what can be done about it.

The page asks for its middle every two seconds, for some minutes: whoever finishes a rotation wants to see that the old
secret has fallen silent.
"""

from __future__ import annotations

from app.console.changing import MOST_ROUNDS, PATH, rounds_of
from app.console.credentials import READ
from app.console.page import Page, Pages, Reply, Shown, Visit
from app.services.credentials import Credentials, CredentialView
from app.services.rotations import Rotations
from tokenserver.domain.credential import SecretState


class RotatingPages:
    def __init__(self, credentials: Credentials, rotations: Rotations) -> None:
        self._credentials = credentials
        self._rotations = rotations

    def pages(self) -> Pages:
        return (Page(name="rotation", path=f"{PATH}/rotation", handler=self.rotation, wants=READ),)

    def rotation(self, visit: Visit) -> Reply:
        view = self._credentials.get(visit.caller, visit.id)
        rounds = rounds_of(visit.query.get("rounds", "0"))
        stage, uses = stage_of(view), {secret.id: use for secret, use in view.history}
        values = {
            "view": view,
            "old": view.retiring,
            "current": view.credential.secret_in(SecretState.CURRENT, view.now),
            "stage": stage,
            "uses": uses,
            "on_schedule": self._rotations.under_way(visit.caller, visit.id),
            "rounds": rounds + 1,
            "asks": stage in {"waiting", "claimed", "grace"} and rounds < MOST_ROUNDS,
        }
        template = "credentials/rotation_state.html" if visit.partly else "credentials/rotation.html"
        return Shown(template, values)


def stage_of(view: CredentialView) -> str:
    """`ended`, `waiting` (the new secret waits to be claimed), `claimed` (nobody has used it yet), `grace`, `none`."""
    credential, now = view.credential, view.now
    if view.has_ended:
        return "ended"
    if credential.waiting is not None:
        return "waiting"
    if view.retiring is None or not credential.generation.in_grace(now):
        return "none"
    return "claimed" if view.retiring.expires_at is None else "grace"
