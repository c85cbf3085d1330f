"""What is said of a change before it is made?"""

from __future__ import annotations

from app.api.outputs import Output
from app.inputs.fields import MomentText
from app.services.previewing import Reason


class WouldRefuse(Output):
    reason: Reason
    """`api`: no grant is left there; `address`: no more allowed; `role`, `scope`: required, and no more held."""
    audience: str
    what: str | None
    """The address, the role or the scope; null for an API as a whole."""
    count: int


class ChangePreview(Output):
    client_id: str
    ends_tokens: bool
    """Whether every token that is out would end, to be fetched anew under the new terms."""
    narrowed: list[str]
    """The members by which the change takes something away, or moves the credential."""
    since: MomentText
    """Calls were looked at from here on, by whole hours."""
    calls: int
    """Calls that were let in since, as resource servers have told."""
    refused: int
    """Those of them that the new terms refuse, and the present ones do not."""
    unknown: int
    """Those of which it cannot be said: the address, or what the route required, was not told."""
    reasons: list[WouldRefuse]
    """Most first. A call may have several."""
    silent: list[str]
    """Audiences of its grants whose resource servers tell nothing of their use."""
