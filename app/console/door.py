"""Who knocks, what is asked, and which page answers? Every page of the table goes these steps.

Another site cannot act through a viewer's browser: what changes something must come from a page of ours, by what the
browser says about it (Fetch Metadata, or Origin where that is missing) *and* by a token that only our page could know.

Who is not signed in, or has to prove once more who they are, is asked to; what they had typed is kept in the page
that asks, but for secrets, and is theirs again afterwards (`kept_forms`). So it is when their session has ended in
another tab, or another one has begun there: each page knows for whom it was made.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from flask import Flask, Request, Response, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import dump_cookie

from app.console import words
from app.console.csrf import csrf_for, is_csrf_for
from app.console.forms import CSRF, KEPT, ONCE, Form
from app.console.packing import pack, takes_gzip
from app.console.page import AskingAgain, Attached, Left, Page, Pages, Reply, Sent, Shown, Streamed, Visit
from app.console.rendering import assets, rendering
from app.console.telling import faults_by_field
from app.http import LARGEST_BODY, REALM, address_of, answer_failures, failure_headers, named, request_id_of
from app.services.admission import Wanted
from app.services.audit import Caller
from app.services.idempotency import Attempt, InProgress
from app.services.kept_forms import KeptForms, Typed
from app.services.sessions import SECOND_FACTOR, Sessions, SignedOut, Suspended, Viewer, Visitor
from app.settings import Settings
from tokenserver.clock import Clock
from tokenserver.domain.client_ip import TrustedProxies
from tokenserver.domain.organizations import Organization
from tokenserver.errors import (
    InsufficientScope,
    InvalidToken,
    NotFound,
    Refused,
    TokenServerError,
    TooLarge,
    Unavailable,
)

SIGN_IN, SECOND_STEP, PROVE = "/sign-in", "/sign-in/second", "/prove"
LEAVE, RETURN = "/sign-in/sso", "/sign-in/sso/callback"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = [
    ("Content-Security-Policy", _POLICY),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),  # or browsers without Fetch Metadata would not say where a form comes from
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]
_WAY = re.compile(r"/[A-Za-z0-9_./?&=%:+,~-]*\Z")
_WITHOUT_SESSION, _AWAY = "visit", "away"
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
"""What does not look like an ID is nobody's, and is not looked up."""
_MOST_FIELDS = 2000
"""Of one form. Many small ones take longer to read and to show again than their bytes say."""


class NotFromOurPage(Refused):
    code = "cross_site"
    status = 403
    public = words.NOT_FROM_OUR_PAGE


class SentAlready(InProgress):
    public = words.SENT_ALREADY


class Console:
    def __init__(
        self,
        groups: Iterable[Pages],
        *,
        asking: AskingAgain,
        sessions: Sessions,
        kept_forms: KeptForms,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._pages = [page for pages in groups for page in pages]
        self._asking = asking
        self._sessions = sessions
        self._kept_forms = kept_forms
        self._clock = clock
        self._proxies = TrustedProxies.parse(settings.trusted_proxies)
        issuer = urlsplit(settings.issuer)
        self._origin = f"{issuer.scheme}://{issuer.netloc}"
        self._is_https = issuer.scheme == "https"
        self._base = issuer.path.rstrip("/")
        self._rendering = rendering(self._base)
        self._provider = settings.sso_name if settings.sso_issuer else None

    def mount(self, app: Flask) -> None:
        for page in self._pages:
            rule, name = f"/console{page.path}", f"console.{page.name}"
            app.add_url_rule(rule, name, partial(self._serve, page), methods=[page.method])
        app.add_url_rule("/", "console.front", self._front)
        app.add_url_rule("/console/static/<name>", "console.static", self._file)
        app.add_url_rule("/console/<path:path>", "console.nowhere", self._nowhere, methods=["GET", "POST"])
        answer_failures(app, "/console", lambda fault: self._failed(self._visit({}), fault))

    # --- a page ---

    def _serve(self, page: Page, **ids: str) -> Response:
        visit = self._visit(ids)
        try:
            visit = replace(visit, form=_form_of(request))
            if request.headers.get("Sec-Fetch-Site") == "cross-site" and not _is_navigation(request):
                raise NotFromOurPage
            if page.method == "POST" and not self._is_of_this_session(page, visit):
                return self._answered(visit, self._typed_before(page, visit))
            if not page.open or visit.token:
                visit = self._signed_in(page, visit)
            if any(_ID.match(one) is None for one in ids.values()):
                raise NotFound
            if page.fresh and not self._sessions.is_fresh(visit.viewer):
                return self._answered(visit, self._asked_again(page, visit))
            return self._answered(visit, self._handled(page, visit))
        except SignedOut as fault:
            return self._answered(visit, self._asked_to_sign_in(page, visit, fault))
        except Exception as fault:  # noqa: BLE001  `named` logs what is unexpected
            return self._failed(visit, fault)

    def _visit(self, ids: Mapping[str, str]) -> Visit:
        visitor = Visitor(
            address_of(request, self._proxies), request.headers.get("User-Agent", ""), request_id_of(request.environ)
        )
        query = request.query_string.decode("utf-8", "replace")  # Werkzeug's `args` takes nothing but UTF-8
        path = request.path.removeprefix("/console")
        return Visit(
            path=f"{path}?{query}" if query else path,
            visitor=visitor,
            now=self._clock(),
            ids=ids,
            query=dict(reversed(parse_qsl(query, keep_blank_values=True))),
            token=request.cookies.get(self._cookie_name("session"), ""),
            away=request.cookies.get(self._cookie_name(_AWAY), ""),
            partly="HX-Request" in request.headers,
        )

    def _signed_in(self, page: Page, visit: Visit) -> Visit:
        try:
            viewer = self._sessions.viewer(visit.token, visit.visitor, also_suspended=page.also_suspended)
        except (SignedOut, Suspended):
            if page.open:
                return visit
            raise
        caller = viewer.caller()
        if page.wants is not None:
            caller = _admitted(viewer, page.wants)
        once = visit.form.text(ONCE)
        if once:
            caller = replace(caller, attempt=_attempt(once, visit))
        return replace(visit, signed_in=(viewer, caller))

    def _handled(self, page: Page, visit: Visit) -> Reply:
        try:
            return page.handler(visit)
        except InProgress as fault:
            raise SentAlready from fault
        except SignedOut:
            raise
        except InvalidToken as fault:  # what they may do, or their session, has ended in the midst of it
            raise SignedOut(fault.public) from fault
        except Refused as fault:
            if page.again is None:
                raise
            again = page.again(visit, fault)
            if isinstance(again, Shown):
                again = replace(
                    again,
                    status=fault.status,
                    values={"fault": fault, "faults": faults_by_field(fault), **again.values},
                )
            return again

    # --- who is asked to prove who they are ---

    def _asked_to_sign_in(self, page: Page, visit: Visit, fault: SignedOut) -> Reply:
        if visit.token and self._awaits_second_step(visit):
            return Sent(SECOND_STEP)
        to, kept = self._kept(page, visit)
        values = {"to": to, "kept": kept, "fault": fault}
        if visit.partly:  # the form around the piece still needs the cookie, to be known as ours when it is sent
            return Shown("sign_in.html", values, fault.status)
        cookie = "" if visit.token else None
        if page.method == "GET":
            to = "" if visit.path == "/" else f"?to={quote(visit.path, safe='')}"
            return Sent(f"{SIGN_IN}{to}", cookie=cookie)
        return Shown("sign_in.html", values, fault.status, cookie=cookie)

    def _kept(self, page: Page, visit: Visit) -> tuple[str, str]:
        """Where to go on, and what was typed, sealed: for whom the page was made, if that is known."""
        if page.path in {PROVE, SECOND_STEP}:  # which had been asked on the way to somewhere
            return way(visit.form.text("to")), visit.form.text(KEPT)
        author = self._author(visit) if page.method == "POST" else None
        if author is not None:
            return visit.path, self._sealed(author, visit)
        is_shown = any(other.path == page.path and other.method == "GET" for other in self._pages)
        return visit.path if is_shown else "/", ""

    def _sealed(self, operator_id: str, visit: Visit) -> str:
        return self._kept_forms.seal(operator_id, Typed(visit.path, list(visit.form.to_keep())))

    def _typed_before(self, page: Page, visit: Visit) -> Reply:
        """Of a page that was made for a session before, nothing is done: who typed it signs in, or looks first."""
        author = self._author(visit)
        if author is None or page.open or visit.partly:
            raise NotFromOurPage
        viewer = self._recognized(visit).signed_in
        if viewer is None:
            return self._asked_to_sign_in(page, visit, SignedOut())
        typed: Typed | None = Typed(visit.path, list(visit.form.to_keep()))
        if page.path == PROVE:  # which had been asked on the way to somewhere
            typed = self._kept_forms.open(visit.form.text(KEPT), author)
        if viewer[0].operator.id != author or typed is None:
            raise NotFromOurPage
        return Shown("go_on.html", {"to": way(typed.path), "fields": typed.fields, "by_itself": False}, 403)

    def _author(self, visit: Visit) -> str | None:
        return self._kept_forms.author(visit.form.text(CSRF).partition(".")[2])

    def _awaits_second_step(self, visit: Visit) -> bool:
        try:
            self._sessions.viewer(visit.token, visit.visitor, awaiting=SECOND_FACTOR, also_suspended=True)
        except Refused:
            return False
        return True

    def _asked_again(self, page: Page, visit: Visit) -> Reply:
        if page.method == "GET":
            return Sent(f"{PROVE}?to={quote(visit.path, safe='')}")
        return replace(self._asking(visit, visit.path, self._sealed(visit.viewer.operator.id, visit)), status=403)

    # --- answers ---

    def _answered(self, visit: Visit, reply: Reply) -> Response:
        if isinstance(reply, Attached | Streamed):
            content = reply.content if isinstance(reply, Attached) else reply.pieces
            response = Response(content, content_type=reply.kind)
            response.headers["Content-Disposition"] = f'attachment; filename="{reply.name}"'
        elif isinstance(reply, Left):
            response = self._leaving(visit, reply)
        elif isinstance(reply, Sent):
            joint = "&" if "?" in reply.path else "?"
            notice = f"{joint}notice={reply.notice}" if reply.notice else ""
            response = _sent(self._rendering.url(reply.path + notice))
        else:
            response = self._page(visit, reply)
        if visit.away and visit.path.startswith(RETURN):
            self._set_cookie(response, _AWAY, "")
        cookie = reply.cookie if isinstance(reply, Shown | Sent) else None
        if cookie is not None:
            if cookie and visit.token and cookie != visit.token:
                self._sessions.leave(visit.token)
            self._set_cookie(response, "session", cookie)
        response.headers.extend(HEADERS)
        return response

    def _leaving(self, visit: Visit, left: Left) -> Response:
        response = self._page(visit, Shown("leave.html", {"there": left.url})) if left.by_link else _sent(left.url)
        self._set_cookie(response, _AWAY, left.away)
        return response

    def _page(self, visit: Visit, shown: Shown) -> Response:
        token = visit.token if shown.cookie is None else shown.cookie
        fresh_visit = ""
        if not token:
            token = request.cookies.get(self._cookie_name(_WITHOUT_SESSION), "")
            if not token:
                token = fresh_visit = secrets.token_urlsafe(32)
        values: dict[str, Any] = {
            "visit": visit,
            "viewer": None if visit.signed_in is None else visit.signed_in[0],
            "organizations": self._organizations(visit),
            "csrf": self._csrf(visit, token),
            "once": secrets.token_urlsafe(16),
            "notice": words.NOTICES.get(visit.query.get("notice", "")),
            "fault": None,
            "faults": {},
            "now": visit.now,
            "provider": self._provider,
            **shown.values,
        }
        response = Response(
            self._rendering.page(shown.template, **values), shown.status, content_type="text/html; charset=utf-8"
        )
        pack(response, request)
        if fresh_visit:
            self._set_cookie(response, _WITHOUT_SESSION, fresh_visit)
        return response

    def _organizations(self, visit: Visit) -> Sequence[Organization]:
        """Where the viewer may go; nowhere while the database does not say, since that must be said by a page, too."""
        if visit.signed_in is None:
            return []
        with suppress(Unavailable):
            return self._sessions.organizations(visit.viewer)
        return []

    def _failed(self, visit: Visit, fault: Exception) -> Response:
        if isinstance(fault, Suspended | InsufficientScope):
            visit = self._recognized(visit)
        failure = named(fault, visit.visitor.request_id)
        values = {"failure": failure, "request_id": visit.visitor.request_id}
        shut_out = isinstance(fault, Suspended) and visit.signed_in is not None
        template = "suspended.html" if shut_out else "failure.html"
        response = self._answered(visit, Shown(template, values, failure.status))
        for name, value in failure_headers(failure):
            if name != "WWW-Authenticate":  # a browser would ask for a password of its own accord
                response.headers[name] = value
        return response

    def _file(self, name: str) -> Response:
        found = assets().get(name)
        if found is None:
            return self._nowhere()
        packed = takes_gzip(request)
        response = Response(found.compressed if packed else found.content, content_type=found.kind)
        response.headers["Vary"] = "Accept-Encoding"
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        response.headers.extend(HEADERS)
        return response

    def _front(self) -> Response:
        """Whoever types the server's address into a browser looks for this."""
        return self._answered(self._visit({}), Sent("/"))

    def _nowhere(self, **_: str) -> Response:
        return self._failed(self._recognized(self._visit({})), NotFound())

    def _recognized(self, visit: Visit) -> Visit:
        """With who is signed in, if anybody: who is refused one page finds the way to others, and out."""
        try:
            viewer = self._sessions.viewer(visit.token, visit.visitor, also_suspended=True)
        except TokenServerError:
            return visit
        return replace(visit, signed_in=(viewer, viewer.caller()))

    # --- other sites ---

    def _is_of_this_session(self, page: Page, visit: Visit) -> bool:
        """Whether a form comes from a page that was made for this session; raises NotFromOurPage where it cannot come
        from a page of ours at all.
        """
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        ours = site == "same-origin" if site is not None else origin == self._origin
        if not ours:
            raise NotFromOurPage
        tokens = [visit.token] if visit.token else []
        if page.open or not tokens:  # a page that was made before somebody signed in does nothing in their name
            tokens.append(request.cookies.get(self._cookie_name(_WITHOUT_SESSION), ""))
        given = visit.form.text(CSRF).partition(".")[0]
        return any(is_csrf_for(given, token) for token in tokens if token)

    def _csrf(self, visit: Visit, token: str) -> str:
        """What the forms of a page send: that it is ours, and for whom it was made."""
        if visit.signed_in is None:
            return csrf_for(token)
        return f"{csrf_for(token)}.{self._kept_forms.sign(visit.viewer.operator.id)}"

    def _cookie_name(self, name: str) -> str:
        return f"__Host-{REALM}-{name}" if self._is_https else f"{REALM}-{name}"

    def _set_cookie(self, response: Response, name: str, value: str) -> None:
        cookie = dump_cookie(
            self._cookie_name(name),
            value,
            max_age=None if value else 0,
            path="/",
            secure=self._is_https,
            httponly=True,
            samesite="Lax",
        )
        response.headers.add("Set-Cookie", cookie)


def _form_of(asked: Request) -> Form:
    asked.max_content_length = LARGEST_BODY
    try:
        form = Form(tuple(asked.form.items(multi=True)))
    except RequestEntityTooLarge:
        raise TooLarge from None
    if len(form.fields) > _MOST_FIELDS:
        raise TooLarge(words.TOO_MANY_FIELDS)
    return form


def _sent(url: str) -> Response:
    response = Response(status=303)
    response.headers["Location"] = url
    return response


def way(text: str) -> str:
    """A path of the console's own, from what a URL or a form says; the first page where it says anything else."""
    return text if _WAY.match(text) and not text.startswith("//") else "/"


def _admitted(viewer: Viewer, wanted: Wanted) -> Caller:
    if viewer.may(wanted.scope):
        return viewer.caller()
    if wanted.own is not None and viewer.may(wanted.own):
        return viewer.caller(only_own=True)
    raise InsufficientScope(words.NOT_YOUR_ROLE)


def _attempt(once: str, visit: Visit) -> Attempt:
    typed = "\n".join([visit.path, *(f"{name}={value}" for name, value in visit.form.to_keep())])
    return Attempt(f"console:{once[:64]}", hashlib.sha256(typed.encode()).hexdigest(), visit.visitor.request_id)


def _is_navigation(asked: Request) -> bool:
    """A link on another site may lead here."""
    return asked.method == "GET" and asked.headers.get("Sec-Fetch-Mode") == "navigate"
