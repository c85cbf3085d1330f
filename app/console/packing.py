"""Does an answer travel compressed? Where a browser takes it, and nobody else could have had it made.

Whoever sees how long answers are, and chooses a part of what they say, could find out the rest of a compressed page,
letter by letter (BREACH). Another site can have pages made, by links and in windows; so a page is compressed only where
the browser says that the request came from a page of ours, or from the person at it. What every page of a session
holds is never the same twice besides (`csrf`).
"""

from __future__ import annotations

import gzip

from flask import Request, Response

_OWN = {"same-origin", "none"}
"""What `Sec-Fetch-Site` says where no other site had a part in it."""
_LEAST = 1000
"""Shorter answers do not get shorter."""


def takes_gzip(asked: Request) -> bool:
    return asked.accept_encodings.quality("gzip") > 0


def pack(response: Response, asked: Request) -> None:
    """Compress a page, if that is safe."""
    response.headers["Vary"] = "Accept-Encoding, Sec-Fetch-Site"
    content = response.get_data()
    if len(content) >= _LEAST and takes_gzip(asked) and asked.headers.get("Sec-Fetch-Site") in _OWN:
        response.set_data(gzip.compress(content, 6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
