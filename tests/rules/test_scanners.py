"""Do the patterns in docs/scanners find real secrets, by the rules of each scanner, and nothing else?

The scanners themselves are not at hand where these tests run, so that the part of each that decides is followed here:
keywords (without regard to case), the regular expression, the entropy of what its group holds, then allow lists and
stop words. All of them use RE2 or what is like it: no look-around, no back-references.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tokenserver.domain.secret import looks_like_client_id, looks_like_secret, new_client_id, new_secret

DOCS = Path(__file__).parents[2] / "docs"
GITLEAKS = tomllib.loads((DOCS / "scanners" / "gitleaks.toml").read_text(encoding="utf-8"))
TRUFFLEHOG = yaml.safe_load((DOCS / "scanners" / "trufflehog.yaml").read_text(encoding="utf-8"))
GITHUB = (DOCS / "scanners" / "github-custom-pattern.md").read_text(encoding="utf-8")
NOT_RE2 = re.compile(r"\(\?[=!<]|\\[1-9]|\(\?>|[*+?}]\+")
SAMPLE = re.compile(r"tss_[0-9A-Za-z]{46}")


def entropy(text: str) -> float:
    """Shannon's, in bits for each character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def by_gitleaks(text: str) -> list[str]:
    """What gitleaks reports: `detectRule` of its detect/detect.go."""
    (rule,) = GITLEAKS["rules"]
    if not any(keyword.lower() in text.lower() for keyword in rule["keywords"]):
        return []
    found = []
    for match in re.finditer(rule["regex"], text, re.ASCII):
        secret = match.group(rule["secretGroup"])
        allowed = any(
            word.lower() in secret.lower() for allow in rule["allowlists"] for word in allow.get("stopwords", ())
        ) or any(re.search(regex, secret) for allow in rule["allowlists"] for regex in allow.get("regexes", ()))
        if entropy(secret) > rule["entropy"] and not allowed:
            found.append(secret)
    return found


def by_trufflehog(text: str) -> list[str]:
    (detector,) = TRUFFLEHOG["detectors"]
    if not any(keyword.lower() in text.lower() for keyword in detector["keywords"]):
        return []
    (pattern,) = detector["regex"].values()
    return [
        match.group(1)
        for match in re.finditer(pattern, text, re.ASCII)
        if entropy(match.group(1)) >= detector["entropy"]
        and not any(word.lower() in match.group(1).lower() for word in detector["exclude_words"])
    ]


def github_fields() -> dict[str, str]:
    rows = re.findall(r"^\| ([A-Z][a-z ]+) \| `(.+)` \|$", GITHUB, re.MULTILINE)
    return {name: text.replace(r"\|", "|") for name, text in rows}


def by_github(text: str) -> list[str]:
    fields = github_fields()
    before, after = (fields[name].replace(r"\z", r"\Z") for name in ("Before secret", "After secret"))
    pattern = f"(?:{before})({fields['Secret format']})(?:{after})"
    return [match.group(1) for match in re.finditer(pattern, text, re.ASCII)]


SCANNERS = {"gitleaks": by_gitleaks, "trufflehog": by_trufflehog, "github": by_github}
PLACES = (
    "{}",
    'client_secret = "{}"',
    "TOKENSERVER_CLIENT_SECRET={}\n",
    "https://user:{}@auth.example.com/",
    "curl -u tsc_x:{} https://auth.example.com",
    '{{"client_secret":"{}","x":1}}',
    "- secret: {} # mine",
    "\t{}\r\n",
)


@pytest.mark.parametrize("scan", SCANNERS.values(), ids=SCANNERS.keys())
class TestScanner:
    @pytest.mark.parametrize("place", PLACES)
    def test_every_secret_is_found_wherever_it_stands(self, scan, place):
        for _ in range(300):
            secret = new_secret().reveal()
            assert scan(place.format(secret)) == [secret]

    def test_several_in_one_file_are_all_found(self, scan):
        secrets = [new_secret().reveal() for _ in range(20)]
        assert scan("\n".join(f"{n}: '{secret}'" for n, secret in enumerate(secrets))) == secrets

    def test_what_is_no_secret_is_not_found(self, scan):
        secret = new_secret().reveal()
        for text in (
            new_client_id(),
            "tss_",
            secret[:-1],
            secret + "A",
            "x" + secret,
            secret.replace("tss_", "tsx_"),
            "tss_" + "-" * 46,
        ):
            assert scan(f'"{text}"') == []


@pytest.mark.parametrize("scan", [by_gitleaks, by_trufflehog])
def test_what_is_not_random_is_not_found(scan):
    for text in ("tss_" + "a" * 46, "tss_" + "ab" * 23, "tss_" + "0123" * 11 + "01"):
        assert scan(text) == []


@pytest.mark.parametrize("scan", [by_gitleaks, by_trufflehog])
def test_no_sample_of_our_documentation_is_found(scan):
    for page in [DOCS.parent / "README.md", *DOCS.rglob("*.*")]:
        if page.suffix in {".md", ".toml", ".yaml"}:
            assert scan(page.read_text(encoding="utf-8")) == [], page


def test_samples_in_the_documentation_carry_a_wrong_checksum():
    samples = [s for page in [DOCS.parent / "README.md", *DOCS.rglob("*.md")] for s in SAMPLE.findall(page.read_text())]
    assert samples
    for sample in samples:
        assert not looks_like_secret(sample)
        assert not looks_like_client_id(sample)


def test_the_sample_for_github_is_found_by_its_own_pattern():
    assert len(by_github(GITHUB.partition("Test string")[2])) == 1


def test_the_rule_has_what_gitleaks_asks_of_one():
    (rule,) = GITLEAKS["rules"]
    assert set(rule) <= {
        "id",
        "description",
        "regex",
        "secretGroup",
        "entropy",
        "keywords",
        "tags",
        "path",
        "allowlists",
        "report",
    }
    assert re.fullmatch(r"[a-z0-9-]+", rule["id"])
    assert rule["description"]
    assert rule["keywords"] == [keyword.lower() for keyword in rule["keywords"]]
    assert re.compile(rule["regex"]).groups >= rule["secretGroup"]
    for allow in rule["allowlists"]:
        assert set(allow) <= {"description", "condition", "commits", "paths", "regexTarget", "regexes", "stopwords"}
        assert allow.get("regexTarget", "secret") in {"secret", "match", "line"}
        assert any(allow.get(name) for name in ("commits", "paths", "regexes", "stopwords")), "an empty list is refused"


def test_patterns_keep_to_what_re2_knows():
    patterns = [GITLEAKS["rules"][0]["regex"], *TRUFFLEHOG["detectors"][0]["regex"].values(), *github_fields().values()]
    for pattern in patterns:
        assert NOT_RE2.search(pattern) is None
        assert len(pattern) < 1000


def test_the_bound_of_entropy_is_far_below_what_secrets_have():
    assert min(entropy(new_secret().reveal()) for _ in range(3000)) > 3.9
