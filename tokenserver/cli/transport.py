"""How is the server asked? One HTTP request with the standard library, bounded in time and size.

Certificates are verified (`SSL_CERT_FILE` adds a private authority). Redirects are not followed: a token or a secret
goes to the address that was typed and to no other. Proxies of the environment are used as curl does, but never for this
very machine. Failures become one sentence each.
"""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import SplitResult, urlsplit

from tokenserver import __version__
from tokenserver.cli.failures import Failure, unavailable, usage

TIMEOUT = 30.0
LONGEST_BODY = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_THIS_MACHINE = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|::1)\Z")


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Message
    body: bytes


Send = Callable[[str, str, Mapping[str, str], bytes | None], Response]
"""Method, URL, headers and body to what was answered."""
Stream = Callable[[str, Mapping[str, str]], Iterator[Response]]
"""URL and headers to the answer in pieces."""


def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Response:
    """The answer, whatever its status; raises Failure when there is none that can be read."""
    with _opened(method, url, headers, body) as answer:
        content = answer.read(LONGEST_BODY + 1)
        if len(content) > LONGEST_BODY:
            raise unavailable("The server's answer is too long.")
        _refuse_cut(answer)
        return Response(answer.status, answer.headers, content)


def stream(url: str, headers: Mapping[str, str]) -> Iterator[Response]:
    """The answer in pieces, each with the same status and headers."""
    with _opened("GET", url, headers, None) as answer:
        while True:
            piece = answer.read1(_CHUNK)
            yield Response(answer.status, answer.headers, piece)
            if not piece:
                return _refuse_cut(answer)


def _refuse_cut(answer: http.client.HTTPResponse) -> None:
    """An answer that says how long it is, and is shorter, passes the standard library in silence."""
    if answer.length:
        raise unavailable("The server's answer was cut off: it is not whole.")


class _opened:  # noqa: N801  used as a function
    """An answer whose beginning has come; whatever goes wrong until its end becomes a Failure."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> None:
        sent = {"User-Agent": f"tokenserver-cli/{__version__}", "Accept": "application/json", **headers}
        self._url = urlsplit(url)
        self._request = urllib.request.Request(url, data=body, headers=sent, method=method)  # noqa: S310  checked_url
        self._answer: http.client.HTTPResponse | None = None

    def __enter__(self) -> http.client.HTTPResponse:
        try:
            answer: http.client.HTTPResponse = _opener(self._url).open(self._request, timeout=TIMEOUT)
        except (OSError, http.client.HTTPException, ValueError) as fault:
            raise _in_words(fault) from None
        if 300 <= answer.status < 400:
            answer.close()
            raise usage("The server answers with a redirect: give the address that it leads to as the URL.")
        self._answer = answer
        return answer

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: object) -> None:
        if self._answer is not None:
            self._answer.close()
        if isinstance(fault, (OSError, http.client.HTTPException)):
            raise _in_words(fault) from None


def _opener(url: SplitResult) -> urllib.request.OpenerDirector:
    """Without the handlers that follow redirects, and those that raise where a server said no."""
    proxies: dict[str, str] | None = {} if _THIS_MACHINE.match(url.hostname or "") else None
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler(proxies))
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.UnknownHandler())
    if url.scheme == "https":  # whom to trust is read from files, which takes a while
        opener.add_handler(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    return opener


def _in_words(fault: Exception) -> Failure:
    reason = fault.reason if isinstance(fault, urllib.error.URLError) else fault
    if isinstance(reason, TimeoutError):
        return unavailable("The server did not answer in time. Whether it did what was asked is not known: look first.")
    if isinstance(reason, ssl.SSLCertVerificationError):
        return unavailable("The server's certificate is not trusted here; SSL_CERT_FILE can name a private authority.")
    if isinstance(reason, ssl.SSLError):
        return unavailable("There is no TLS connection to the server: is the URL's port one of https?")
    if isinstance(reason, OSError):
        return unavailable(
            f"The server cannot be reached: {reason.strerror or 'the connection failed'}. Check the URL."
        )
    return unavailable(f"The server's answer cannot be read ({type(reason).__name__}).")
