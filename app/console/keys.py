"""The pages of signing keys, for whoever runs the server: which one signs, the next one, the end of one that leaked."""

from __future__ import annotations

from app.console import words
from app.console.editing import refuse_other_name
from app.console.page import Page, Pages, Reply, Sent, Shown, Visit, form_pages
from app.services.admission import Wanted
from app.services.keys import JWKS_MAX_AGE, KeyView, SigningKeys
from tokenserver.errors import NotFound

_READ, _WRITE = Wanted("signing-keys:read"), Wanted("signing-keys:write")
TYPED = 8
"""So many characters of a key's ID are typed to revoke it."""


class KeyPages:
    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    def pages(self) -> Pages:
        return (
            Page(name="keys", path="/keys", handler=self.list, wants=_READ),
            *form_pages("rotate_key", "/keys/rotate", show=self.rotate_asked, do=self.rotate, fresh=True, wants=_WRITE),
            *form_pages(
                "revoke_key", "/keys/<kid>/revoke", show=self.revoke_asked, do=self.revoke, fresh=True, wants=_WRITE
            ),
        )

    def list(self, _: Visit) -> Reply:
        return Shown("keys/list.html", {"views": self._keys.views()})

    def rotate_asked(self, _: Visit) -> Reply:
        return Shown("keys/rotate.html", {"pause": JWKS_MAX_AGE})

    def rotate(self, visit: Visit) -> Reply:
        self._keys.rotate(visit.caller)
        return Sent("/keys", "key_rotated")

    def revoke_asked(self, visit: Visit) -> Reply:
        return Shown("keys/revoke.html", {"view": self._view(visit), "typed": TYPED})

    def revoke(self, visit: Visit) -> Reply:
        kid = self._view(visit).key.kid
        refuse_other_name(visit.form, kid[:TYPED])
        self._keys.revoke(visit.caller, kid)
        return Sent("/keys", "key_revoked")

    def _view(self, visit: Visit) -> KeyView:
        for view in self._keys.views():
            if view.key.kid == visit.id and view.key.revoked_at is None:
                return view
        raise NotFound(words.NO_SUCH_KEY)
