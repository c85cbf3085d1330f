"""Does a page tell in its own words what was refused, and never in those of the API?"""

from __future__ import annotations

import re

import pytest

from app.console import words
from app.console.telling import Refusals, faults_by_field, in_words, otherwise
from app.services.catalogue import StillHeld
from app.services.failures import TooManyFailures
from tests.console.test_words import texts_of
from tests.support.console import signed_in
from tests.support.world import ROOT
from tokenserver.domain.ip_notation import FaultKind
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
    "The signing key cannot be unsealed": "whoever runs the server is told",
}
"""Beginnings of what people never read, and why."""
FOR_PROGRAMS = {
    "audit.py": "parameters of the API",
    "claiming.py": "apps claim their secrets",
    "explaining.py": "a story of many parts, which a page tells as it is",
    "github_keys.py": "a scanner's",
    "grant.py": "apps ask for tokens",
    "installation.py": "for the shell",
    "issuing.py": "apps ask for tokens",
    "measures.py": "for Prometheus",
    "revoking.py": "apps revoke tokens",
    "usage.py": "resource servers report",
}
"""Modules of which no sentence is a refusal on a page, and why."""
NO_REFUSALS = {
    "An access token is required.",
    "Client authentication failed.",
    "Faults that are not listed here: {}.",
    "Give text, or a list of texts.",
    "Is not valid.",
    "Only the grant type client_credentials is supported.",
    "The access token is not valid.",
    "The access token lacks a required role or scope.",
    "The access token may not be used from this address.",
    "The content type of the request is not supported.",
    "The credential may not be used for this request.",
    "The filter selects nothing in particular: name at least one member of it.",
    "The operator whose personal credential it was has left.",
    "The requested resource is unknown or not granted to this credential.",
    "The requested scope is unknown, malformed or not granted to this credential.",
    "There is no signing key yet: run python -m app bootstrap.",
    "This address does not take that method.",
    "This signing key is there already.",
    "This text is blank: leave it out of the list.",
    "More than {} credentials are selected: select fewer at a time.",
}
"""Of modules of which others are: no form of ours sends what they are about, or a page tells them by their code."""
REFUSALS = ROOT / "app" / "console" / "templates" / "refusals.txt"


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


def refusals() -> set[str]:
    """What may be said to somebody who made a mistake: in what is filled in, `{}`."""
    said = {text for module, text in sentences() if module not in FOR_PROGRAMS and is_sentence(text)}
    return said | {kind.hint for kind in FaultKind} | {"Item {} (at character {}): {}", "The URL cannot be used: {}"}


def is_sentence(text: str) -> bool:
    return text[:1].isupper() and text.endswith((".", "?")) and " " in text


def test_every_refusal_can_be_said_in_another_language():
    listed = set(REFUSALS.read_text().splitlines())
    told = {text for text in refusals() if text not in words.OTHERWISE and not text.startswith(tuple(ON_NO_PAGE))}
    told = {text for text in told if not text.startswith(tuple(words.OTHERWISE_FROM))}
    assert told - NO_REFUSALS - listed == set(), "put it into app/console/templates/refusals.txt"
    nobody = {line for line in listed - refusals() if line and not line.startswith("#")}
    assert nobody == set(), "nobody says this any more"
    assert refusals() >= NO_REFUSALS


def test_a_refusal_in_another_language_has_what_is_filled_in_and_what_is_not_translated_stays():
    german = Refusals.read(
        "# Whatever\n\nMust not be blank. = Darf nicht leer sein.\nMust be at least {}. = Mindestens {}.\n"
        "Item {} (at character {}): {} = Zeichen {1}, Angabe {0}: {2}\nleave out the quotation marks. = ohne Striche.\n"
        "Is required.\n"
    )
    assert german.told("Must not be blank.") == "Darf nicht leer sein."
    assert german.told("Must be at least 60.") == "Mindestens 60."
    assert (
        german.told("Item 2 (at character 5): leave out the quotation marks.") == "Zeichen 5, Angabe 2: ohne Striche."
    )
    assert german.told("Is required.") == "Is required."
    assert german.told("# Whatever") == "# Whatever"


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
