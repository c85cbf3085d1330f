"""Which requests are answered in front of Flask, on the event loop? Those that have the form they should.

A Flask view in a thread of its own costs several times what the answer does. So the doors that are asked for each
request of somebody's API have a short way for it. Whatever else comes is left to Flask, where it is found again,
counted, recorded and said: there is one place for that. What needs none of it is said here, in the same words: that
there is too much, that nobody can know at the moment, and that a gateway shall not let a token pass.
"""

from __future__ import annotations

from collections.abc import Awaitable

from app.http import Environ, Headers, Reply, failed, request_id_of, whole
from app.limiting import told_to
from tokenserver.errors import RateLimited, Refused, Unavailable

Answer = tuple[int, Headers, bytes]
"""Status, headers of its own, and the body."""


async def in_front(environ: Environ, path: str, coming: Awaitable[Answer | None]) -> Reply | None:
    """The whole answer with what is `coming`; None leaves the request to Flask."""
    request_id = request_id_of(environ)
    try:
        answer = await coming
    except (RateLimited, Unavailable) as fault:
        status, headers, payload = failed(fault, path, request_id)
        said = {name for name, _ in headers}
        limits = [(name, value) for name, value in told_to(environ) if name not in said]
        return status, [*headers, *limits, ("Content-Length", str(len(payload)))], payload
    except Refused:
        return None
    if answer is None:
        return None
    status, headers, payload = answer
    return whole(status, [*headers, *told_to(environ)], payload, request_id)
