"""How does an app get a token with this credential, and how does an API check it? Programs to copy, ready to run.

Issuer, client ID and audience are filled in; the secret is not: it comes from the environment. Whatever was chosen by
people (an audience may hold quotes and dollar signs) is written as the language quotes it.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from urllib.parse import quote

from app.console import words
from app.console.revealing import TOKEN_PATH
from tokenserver.domain.credential import Credential
from tokenserver.domain.names import ADMIN_AUDIENCE
from tokenserver.domain.restrictions import Grant

SECRET = "TOKENSERVER_CLIENT_SECRET"
_SOME_API = "https://api.example.com"
_API_PORT = 5000


@dataclass(frozen=True, slots=True)
class Snippet:
    """`name` is what people look for; `id` names it on the page; `before` is what it takes."""

    id: str
    name: str
    before: str
    text: str


@dataclass(frozen=True, slots=True)
class _Terms:
    """What is filled in. `resource` where the token has to be asked for one of several APIs."""

    issuer: str
    client_id: str
    audience: str
    resource: str | None
    scope: str | None
    role: str | None

    @property
    def address(self) -> str:
        """Of the API; audiences that are no addresses do not say where it is."""
        return self.audience if self.audience.startswith(("https://", "http://")) else _SOME_API

    @property
    def required(self) -> str:
        """As keyword arguments of `require`."""
        if self.scope is not None:
            return f"scopes={{{_quoted(self.scope)}}}"
        return "any_caller=True" if self.role is None else f"roles={{{_quoted(self.role)}}}"


def snippets_of(credential: Credential, issuer: str) -> tuple[list[Snippet], list[Snippet]]:
    """For the app that holds the credential, and for the API that it calls."""
    terms = _terms(credential, issuer)
    return [_curl(terms), _python(terms), _node(terms)], [_flask(terms), _fastapi(terms), _django(terms), _nginx(terms)]


@dataclass(frozen=True, slots=True)
class Steps:
    """What is typed in a terminal on the way to the first call: getting a token, the API as a file, starting it and
    calling it.
    """

    audience: str
    token: str
    api: str
    start: str
    call: str


def first_steps(credential: Credential | None, audience: str | None, issuer: str) -> Steps:
    """Of the first credential and API there are; without a credential its ID is left to be filled in."""
    if credential is not None:
        terms = _terms(credential, issuer)
        terms = replace(terms, resource=terms.audience)
    else:
        terms = _Terms(issuer, "tsc_…", audience or _SOME_API, audience or _SOME_API, None, None)
    terms = replace(terms, scope=None, role=None)
    api, call = f"http://127.0.0.1:{_API_PORT}", "curl --silent --show-error --include --header @-"
    return Steps(
        audience=terms.audience,
        token=f"read -rs {SECRET}  # paste the secret, then Enter: nothing shows\n{_fetched(terms)}",
        api=_flask(terms).text,
        start=f'pip install "tokenserver[flask]"\nflask --app api run --port {_API_PORT}\n',
        call=f"printf 'Authorization: Bearer %s' \"$token\" |\n    {call} {api}/reports\n",
    )


def _terms(credential: Credential, issuer: str) -> _Terms:
    grants = credential.restrictions.grants
    grant = next((one for one in grants if one.audience != ADMIN_AUDIENCE), grants[0] if grants else Grant(_SOME_API))
    return _Terms(
        issuer=issuer,
        client_id=credential.client_id,
        audience=grant.audience,
        resource=grant.audience if len(grants) > 1 else None,
        scope=min(grant.scopes, default=None),
        role=min(credential.restrictions.roles, default=None),
    )


def _fetched(terms: _Terms) -> str:
    """A token in a variable of the shell. The secret is no argument: other users see those of every process."""
    resource = (
        "" if terms.resource is None else f" \\\n        --data-urlencode {shlex.quote(f'resource={terms.resource}')}"
    )
    return f"""\
token=$(printf 'user = "%s:%s"' {terms.client_id} "${SECRET}" |
    curl --silent --show-error --fail-with-body --config - \\
        --data grant_type=client_credentials{resource} \\
        {shlex.quote(terms.issuer + TOKEN_PATH)} | jq --raw-output .access_token)
"""


def _curl(terms: _Terms) -> Snippet:
    text = f"""\
{_fetched(terms)}
printf 'Authorization: Bearer %s' "$token" |
    curl --silent --show-error --fail-with-body --header @- {shlex.quote(terms.address)}
"""
    return Snippet("curl", "curl", words.SNIPPET_CURL.format(SECRET), text)


def _python(terms: _Terms) -> Snippet:
    resource = "" if terms.resource is None else f"\n    resource={_quoted(terms.resource)},"
    text = f"""\
import requests

from tokenserver.client import TokenSource
from tokenserver.client.requests import TokenAuth

source = TokenSource(  # the secret is read from {SECRET}
    issuer={_quoted(terms.issuer)},
    client_id={_quoted(terms.client_id)},{resource}
)
api = {_quoted(terms.address)}
session = requests.Session()
session.auth = TokenAuth(source, api)

print(session.get(api).status_code)
"""
    return Snippet("python", "Python", words.SNIPPET_PYTHON.format(SECRET), text)


def _node(terms: _Terms) -> Snippet:
    resource = "" if terms.resource is None else f", resource: {_quoted(terms.resource)}"
    text = f"""\
const clientId = {_quoted(terms.client_id)};
const secret = process.env.{SECRET};

const answer = await fetch({_quoted(terms.issuer + TOKEN_PATH)}, {{
  method: "POST",
  headers: {{ Authorization: "Basic " + Buffer.from(`${{clientId}}:${{secret}}`).toString("base64") }},
  body: new URLSearchParams({{ grant_type: "client_credentials"{resource} }}),
}});
if (!answer.ok) throw new Error(`no token: ${{answer.status}} ${{await answer.text()}}`);
const {{ access_token: token, expires_in: seconds }} = await answer.json(); // use it for so long, then fetch another

const called = await fetch({_quoted(terms.address)}, {{ headers: {{ Authorization: `Bearer ${{token}}` }} }});
console.log(called.status);
"""
    return Snippet("node", "Node", words.SNIPPET_NODE.format(SECRET), text)


def _flask(terms: _Terms) -> Snippet:
    text = f"""\
from flask import Flask

from tokenserver.resource import Verifier
from tokenserver.resource.flask import TokenGuard, current_principal, require

app = Flask(__name__)
TokenGuard(app, Verifier(issuer={_quoted(terms.issuer)}, audience={_quoted(terms.audience)}))


@app.get("/reports")
@require({terms.required})
def reports():
    return {{"hello": current_principal.client_id}}
"""
    return Snippet("flask", "Flask", "pip install tokenserver[flask]", text)


def _fastapi(terms: _Terms) -> Snippet:
    text = f"""\
from typing import Annotated

from fastapi import FastAPI

from tokenserver.resource import Principal, Verifier
from tokenserver.resource.fastapi import TokenGuard

app = FastAPI()
tokens = TokenGuard(Verifier(issuer={_quoted(terms.issuer)}, audience={_quoted(terms.audience)}))


@app.get("/reports")
async def reports(caller: Annotated[Principal, tokens.require({terms.required})]):
    return {{"hello": caller.client_id}}
"""
    return Snippet("fastapi", "FastAPI", "pip install tokenserver[fastapi]", text)


def _django(terms: _Terms) -> Snippet:
    text = f"""\
# settings.py
TOKENSERVER = {{"issuer": {_quoted(terms.issuer)}, "audience": {_quoted(terms.audience)}}}

# views.py
from django.http import JsonResponse

from tokenserver.resource.django import principal_of, require


@require({terms.required})
def reports(request):
    return JsonResponse({{"hello": principal_of(request).client_id}})
"""
    return Snippet("django", "Django", "pip install tokenserver[django]", text)


def _nginx(terms: _Terms) -> Snippet:
    query = f"aud={quote(terms.audience, safe=':/')}"
    if terms.scope is not None:
        query += f"&scope={quote(terms.scope, safe=':/')}"
    elif terms.role is not None:
        query += f"&role={quote(terms.role, safe=':/')}"
    text = f"""\
location / {{
    auth_request /_token;
    auth_request_set $auth_client_id $upstream_http_x_auth_client_id;
    proxy_set_header X-Auth-Client-Id $auth_client_id;
    proxy_set_header Authorization "";
    proxy_pass http://127.0.0.1:9000;  # your API
}}

location = /_token {{
    internal;
    proxy_pass {terms.issuer}/forward-auth?{query};
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header Forwarded "";
}}
"""
    return Snippet("nginx", "nginx", words.SNIPPET_NGINX, text)


def _quoted(text: str) -> str:
    """As Python and JavaScript both read it."""
    return json.dumps(text)
