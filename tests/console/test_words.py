"""Do people's words live where translators look for them: in `templates/` and `words`, and nowhere else?"""

from __future__ import annotations

import ast
import re

import pytest

from app.console import words
from tests.support.world import ROOT

CONSOLE = ROOT / "app" / "console"
PLACES = {"words.py", "snippets.py"}
"""Where words are, and the programs to copy, which speak the languages of programs."""
NO_WORDS = {
    "default-src 'none'; script-src": "a policy",
    "Samsung Internet": "a name",
    "Mac OS": "a name",
    "text/css; charset": "a kind of file",
    "text/javascript; charset": "a kind of file",
    "text/html; charset": "a kind of file",
    "text/plain; charset": "a kind of file",
    "attachment; filename=": "a header",
    "Accept-Encoding, Sec-Fetch-Site": "names of headers",
    "{} ({}{})": "nothing of its own",
    "{} {}": "nothing of its own",
    "{} {} UTC": "nothing of its own",
    "scopes {}": "the name of a field",
    "access {}": "the name of a field",
    "{}: {}": "nothing of its own",
    "{}: {} {}": "nothing of its own",
    "{}: {:,}": "nothing of its own",
}
_TWO_WORDS = re.compile(r"[A-Za-z{}]{2,}[,:;.]? [A-Za-z{}(]{2,}")
_ONE_SENTENCE = re.compile(r"[A-Z][a-z]+\.")
_MARKUP = re.compile(r"<[^>]*>")


def texts_of(source: str) -> list[tuple[int, str]]:
    """Every text of a program that is no docstring; what is filled in is `{}`."""
    tree = ast.parse(source)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    skipped |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append((node.lineno, "".join(str(getattr(part, "value", "{}")) for part in map(_plain, node.values))))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            found.append((node.lineno, node.value))
    return found


def _plain(part: ast.expr) -> ast.Constant:
    return part if isinstance(part, ast.Constant) else ast.Constant("{}")


def is_prose(text: str) -> bool:
    plain = _MARKUP.sub(" ", text)
    if any(plain.startswith(known) if len(known) > 15 else plain.strip() == known for known in NO_WORDS):
        return False
    return bool(_TWO_WORDS.search(plain) or _ONE_SENTENCE.fullmatch(plain))


@pytest.mark.parametrize("module", sorted(path.name for path in CONSOLE.glob("*.py") if path.name not in PLACES))
def test_no_other_module_of_the_console_holds_words_for_people(module):
    found = [f"{module}:{line}: {text}" for line, text in texts_of((CONSOLE / module).read_text()) if is_prose(text)]
    assert not found, "move it to app/console/words.py, or say in this test why it is none"


@pytest.mark.parametrize("text", ["Choose the day.", "f'Type {number} to confirm'", "One-time codes are on.", "Saved."])
def test_words_for_people_would_be_found(text):
    source = f"raise Refused({text if text.startswith('f') else repr(text)})"
    assert [one for _, one in texts_of(source) if is_prose(one)]


SCRIPTS = ("console.js", "passkeys.js")


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_hold_no_words_for_people_either(name):
    script = re.sub(r"^\s*//.*$", "", (CONSOLE / "static" / name).read_text(), flags=re.MULTILINE)
    texts = [one[1] for one in re.finditer(r"[\"`]([^\"`\n]*)[\"`]", script)]
    assert not [
        text
        for text in texts
        if re.search(r"[A-Za-z]{2,}[,:]? [a-z]{2,}|^[A-Z][a-z]+\.?$", text) and text not in {"use strict", "Escape"}
    ]


def test_every_word_of_a_notice_is_used_and_every_notice_has_its_words():
    sources = "".join(path.read_text() for path in CONSOLE.glob("*.py") if path.name != "words.py")
    unused = {name for name in words.NOTICES if f'"{name}"' not in sources}
    assert unused <= {"suspend", "resume", "end_everything"}, "those are named after what is done"


def test_counting_says_one_and_many():
    assert [words.counted(count, words.DAYS) for count in (0, 1, 2)] == ["0 days", "1 day", "2 days"]
