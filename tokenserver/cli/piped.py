"""What was piped in? Text in UTF-8, of bounded length, or a sentence that says that it is none."""

from __future__ import annotations

import sys

from tokenserver.cli.failures import usage


def piped_in(most: int) -> str:
    """What is on standard input, up to so many characters."""
    try:
        text = sys.stdin.read(most)
        text.encode()  # some locales read any byte, as half of a surrogate pair
    except UnicodeError:
        raise usage("What was piped in is not text in UTF-8.") from None
    return text
