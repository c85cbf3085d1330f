"""Which browser is that? A few words from what it says of itself, to be recognized by its owner, and by nobody else."""

from __future__ import annotations

from app.console import words

_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
"""The first that is named is meant: browsers name those, too, for which they want to be taken."""
_LONGEST = 60


def browser_of(agent: str) -> str:
    """`Firefox on Linux`; what it says itself where we know neither."""
    browser = next((name for sign, name in _BROWSERS.items() if sign in agent), None)
    system = next((name for sign, name in _SYSTEMS.items() if sign in agent), None)
    known = words.BROWSER_ON.join(name for name in (browser, system) if name is not None)
    return known or agent[:_LONGEST] or words.UNKNOWN_BROWSER
