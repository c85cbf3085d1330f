"""How do the use cases of credentials look from outside? Bodies to domain values, and domain values to bodies."""

from __future__ import annotations

from operator import itemgetter

from app.api import outputs
from app.api.apis import PATH as APIS
from app.api.conditions import etag
from app.api.operation import Answer, Call
from app.inputs.bodies import CredentialChange
from app.inputs.credentials import changed, draft_of
from app.inputs.fields import moment_text
from app.services.credentials import Credentials, CredentialView, NewSecret
from app.settings import Settings
from tokenserver.clock import Clock, rfc3339
from tokenserver.domain.credential import SecretState

PATH = "/v1/credentials"
Proofs = list[str]


class CredentialOperations:
    def __init__(self, credentials: Credentials, settings: Settings, clock: Clock) -> None:
        self._credentials = credentials
        self._address = settings.issuer + PATH
        self._apis = settings.issuer + APIS
        self._token_lifetime = settings.token_lifetime
        self._clock = clock

    def create(self, call: Call) -> Answer:
        made = self._credentials.create(call.caller, draft_of(call.body, self._token_lifetime, self._clock()))
        body = outputs.CreatedCredential(**dict(credential_shown(made.view)), client_secret=made.secret.reveal())
        headers = [("Location", f"{self._address}/{body.client_id}"), *etag(body.version)]
        return Answer(body, headers)

    def list(self, call: Call) -> Answer:
        found = self._credentials.list(call.caller, call.selection, call.page.after, call.page.limit + 1)
        placed, cursor, headers = call.page.cut(found, itemgetter(1), self._address)
        items = [credential_shown(view) for view, _ in placed]
        return Answer(outputs.CredentialList(items=items, next=cursor), headers)

    def read(self, call: Call) -> Answer:
        return _answer(self._credentials.get(call.caller, call.subject))

    def update(self, call: Call) -> Answer:
        change: CredentialChange = call.body
        return self._changed(
            self._credentials.update(
                call.caller, call.subject, call.version, lambda credential: changed(credential, change)
            )
        )

    def delete(self, call: Call) -> Answer:
        self._credentials.delete(call.caller, call.subject, call.version)
        return Answer(None)

    def regenerate(self, call: Call) -> Answer:
        made = self._credentials.regenerate(call.caller, call.subject, call.version)
        shown = credential_shown(made.view)
        body = outputs.Regenerated(
            client_id=shown.client_id,
            client_secret=made.secret.reveal(),
            generation=shown.generation,
            feed_seq=made.view.feed_seq,
            proofs=self._proofs(made.view),
            credential=shown,
        )
        return Answer(body, etag(shown.version))

    def rotate(self, call: Call) -> Answer:
        made = self._credentials.rotate(call.caller, call.subject, call.body.grace_seconds, call.version)
        return self._rotated(made)

    def finish_rotation(self, call: Call) -> Answer:
        return self._changed(self._credentials.finish_rotation(call.caller, call.subject, call.version))

    def cancel_rotation(self, call: Call) -> Answer:
        return self._changed(self._credentials.cancel_rotation(call.caller, call.subject, call.version))

    def disable(self, call: Call) -> Answer:
        return self._changed(self._credentials.disable(call.caller, call.subject, call.version))

    def enable(self, call: Call) -> Answer:
        return self._changed(self._credentials.enable(call.caller, call.subject, call.version))

    def revoke(self, call: Call) -> Answer:
        return self._changed(self._credentials.revoke(call.caller, call.subject, call.body.reason, call.version))

    def _changed(self, view: CredentialView) -> Answer:
        shown = credential_shown(view)
        body = outputs.ChangedCredential(**dict(shown), feed_seq=view.feed_seq, proofs=self._proofs(view))
        return Answer(body, etag(shown.version))

    def _rotated(self, made: NewSecret) -> Answer:
        shown = credential_shown(made.view)
        if made.retiring is None or made.retiring.expires_at is None:
            raise ValueError("a rotation leaves a secret that retires")
        body = outputs.Rotated(
            client_id=shown.client_id,
            client_secret=made.secret.reveal(),
            old_secret_id=made.retiring.id,
            new_secret_id=made.secret_id,
            grace_expires_at=moment_text(made.retiring.expires_at),
            feed_seq=made.view.feed_seq,
            proofs=self._proofs(made.view),
            credential=shown,
        )
        return Answer(body, etag(shown.version))

    def _proofs(self, view: CredentialView) -> Proofs:
        return [f"{self._apis}/{api_id}/instances?seq={view.feed_seq}" for api_id in view.api_ids]


def credential_shown(view: CredentialView) -> outputs.Credential:
    credential, now = view.credential, view.now
    terms = credential.restrictions
    last = view.last_use
    return outputs.Credential(
        client_id=credential.client_id,
        name=credential.name,
        description=credential.description,
        status=credential.status(now),
        generation=credential.generation.current,
        floor=credential.generation.floor_at(now),
        roles=sorted(terms.roles),
        grants=[outputs.Grant(audience=g.audience, access=g.access, scopes=sorted(g.scopes)) for g in terms.grants],
        allowed_ips=None if terms.allowed_ips is None else list(terms.allowed_ips.normal_form()),
        token_lifetime=terms.token_lifetime,
        expires_at=rfc3339(terms.expires_at),
        project=credential.project,
        environment=credential.environment,
        owner=credential.owner_id,
        secrets=_secrets(view),
        rotation=_rotation(view),
        rotation_schedule=_schedule(view),
        created_at=moment_text(credential.created_at),
        created_by=credential.created_by,
        disabled_at=rfc3339(credential.disabled_at),
        revoked_at=rfc3339(credential.revoked_at),
        revoked_reason=None if credential.revoked_at is None else credential.revoked_reason,
        last_used_at=None if last is None else moment_text(last.at),
        last_used_from=None if last is None else last.address or None,
        version=credential.version,
    )


def _answer(view: CredentialView) -> Answer:
    return Answer(credential_shown(view), etag(view.credential.version))


def _secrets(view: CredentialView) -> list[outputs.Secret]:
    return [
        outputs.Secret(
            id=secret.id,
            hint=secret.hint,
            state=view.state_of(secret),
            created_at=moment_text(secret.created_at),
            expires_at=rfc3339(secret.expires_at),
            last_used_at=None if use is None else moment_text(use.at),
            last_used_from=None if use is None else use.address or None,
        )
        for secret, use in view.history
    ]


def _rotation(view: CredentialView) -> outputs.OpenRotation | None:
    old, new = view.retiring, view.credential.secret_in(SecretState.CURRENT, view.now)
    if old is None or new is None:
        return None
    return outputs.OpenRotation(grace_expires_at=rfc3339(old.expires_at), old_secret_id=old.id, new_secret_id=new.id)


def _schedule(view: CredentialView) -> outputs.RotationSchedule | None:
    schedule = view.credential.schedule
    if schedule is None or view.has_ended:
        return None
    return outputs.RotationSchedule(
        interval_days=schedule.interval_days,
        grace_seconds=schedule.grace_seconds,
        on_unclaimed=schedule.on_unclaimed,
        next_at=rfc3339(view.credential.rotate_at),
    )
