"""Which requests are answered in front of Flask, on the event loop? Those with which nothing is wrong.

A Flask view in a thread of its own costs several times what the answer does. So the doors that are asked for each
request of somebody's API have a short way for it. Whatever is refused is left to Flask, where it is found again,
counted, recorded and said: there is one place for that. What has no need to be found again is said here, in the same
words: that there is too much of it, and that nobody can know at the moment.
"""

from __future__ import annotations

from collections.abc import Awaitable

from app.http import Environ, Headers, Reply, failed, passed, request_id_of
from app.limiting import told_to
from tokenserver.errors import RateLimited, Refused, Unavailable

Answer = tuple[Headers, bytes]
"""Headers of its own, and the body."""


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
    headers, payload = answer
    return passed(payload, [*headers, *told_to(environ)], request_id)
