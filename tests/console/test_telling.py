"""Does a page tell in its own words what was refused, and never in those of the API?"""

from __future__ import annotations

import re

import pytest

from app.console import words
from app.console.telling import faults_by_field, in_words, otherwise
from app.services.catalogue import StillHeld
from app.services.failures import TooManyFailures
from tests.console.test_words import texts_of
from tests.support.console import signed_in
from tests.support.world import ROOT
from tokenserver.errors import Fault, InvalidInput, RateLimited

API_SPEECH = re.compile(
    r"\b(GET|POST|PATCH|DELETE) |/v1/|If-Match|Retry-After|Idempotency-Key|\bnull\b|RFC [0-9]|cascade=|dry_run"
    r"|grace_seconds|\bcursor\b|\bcustom\b|header\b"
)
ON_NO_PAGE = {
    "It is held by credentials (": "told by its code",
    "It cannot be done to some of them (": "told by its code",
    "This Idempotency-Key was sent": "told by its code",
    "Send If-Match": "pages send a version of their own",
    "Name either client_ids or filter": "pages name credentials",
    "TOKENSERVER_": "settings",
    "Must be an IP address, or null": "resource servers report it",
}
"""Beginnings of what people never read, and why."""


def sentences():
    """What inputs, use cases and domain may say of somebody's mistake: texts that end as sentences do."""
    for folder in ("app/inputs", "app/services", "tokenserver/domain"):
        for path in sorted((ROOT / folder).glob("*.py")):
            yield from ((path.name, text) for _, text in texts_of(path.read_text()))
    yield from (("errors.py", text) for _, text in texts_of((ROOT / "tokenserver/errors.py").read_text()))


def test_what_speaks_of_requests_is_said_otherwise_on_a_page():
    spoken = [
        (module, text)
        for module, text in sentences()
        if API_SPEECH.search(text) and text.endswith((".", "null", "null.")) and text[:1].isalpha() and " " in text
    ]
    assert len(spoken) > 10, "or it looks in the wrong place"
    bare = [one for one in spoken if otherwise(one[1]) == one[1] and not one[1].startswith(tuple(ON_NO_PAGE))]
    assert not bare, "give it other words in app/console/words.py"


def test_what_has_other_words_is_still_said_somewhere():
    said = {text for _, text in sentences()}
    assert not set(words.OTHERWISE) - said - {words.DATE}
    assert not [begins for begins in words.OTHERWISE_FROM if not any(_begins(text, begins) for text in said)]


def _begins(text: str, begins: str) -> bool:
    """What is filled in may be anything."""
    pattern = re.escape(text).replace(re.escape("{}"), ".*")
    return text.startswith(begins) or ("{}" in text and re.match(pattern.split(".*")[0] or ".+", begins) is not None)


def test_other_words_hold_nothing_of_the_api():
    for text in (*words.OTHERWISE.values(), *words.OTHERWISE_FROM.values(), *words.INSTEAD.values()):
        assert not API_SPEECH.search(text), text


def test_how_long_to_wait_is_told_in_minutes():
    assert in_words(TooManyFailures(120)) == "This was wrong too often. Wait 2 minutes, then try again."
    assert in_words(RateLimited(1)) == "Too much at once. Wait 1 second, then try again."


def test_a_refusal_with_words_of_its_own_is_told_by_its_code():
    assert "cascade" not in in_words(StillHeld(["tsc_1"]))


def test_the_same_hint_is_told_once_at_a_field():
    hint = "There is no such API: create it with POST /v1/apis."
    fault = InvalidInput(
        [Fault("/grants/0/audience", hint), Fault("/grants/1/audience", hint), Fault("/name", "Short.")]
    )
    assert faults_by_field(fault) == {"grants": words.OTHERWISE[hint], "name": "Short."}


PAGES = {
    "a project that is gone": ("/credentials/new", {"name": "x", "project": "gone"}, "There is no project"),
    "nothing but separators": ("/credentials/new", {"name": "x", "allowed_ips": ","}, "Write at least one address"),
    "a role that is gone": ("/credentials/new", {"name": "x", "roles": "gone"}, "Reload the page to see which"),
    "no role": ("/operators/new", {"email": "a@example.com", "role": ""}, "Choose one of those"),
    "an API whose address is none": ("/apis/new", {"name": "x", "audience": "nonsense"}, "Write an address such as"),
}


@pytest.mark.parametrize(("path", "form", "said"), PAGES.values(), ids=PAGES.keys())
def test_pages_tell_it_so(server, path, form, said):
    visitor = signed_in(server)
    visitor.open(path)
    page = visitor.send(path, form)
    assert page.status_code == 422
    assert said in page.text
    assert "/v1/" not in page.text.replace("/v1/authorize", "")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/credentials", {"cursor": "made-up"}),
        ("/credentials", {"status": "sleeping"}),
        ("/credentials", {"q": "\u200b"}),
        ("/audit", {"actor": "<script>"}),
        ("/audit", {"since": "2027-01-02", "until": "2027-01-01"}),
    ],
)
def test_lists_say_what_is_wrong_with_their_filters_in_words_of_theirs(server, path, query):
    page = signed_in(server).open(path, **query)
    assert page.status_code == 400
    (fault,) = re.findall(r'role="alert"[^>]*>\s*<p>(.*?)</p>', page.text)
    assert not re.search(r"\b(cursor|status is|sort is|q holds|actor is|since)\b", fault)
