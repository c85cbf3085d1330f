"""Writes `.env.example` from the settings class: `python -m tests.support.env_example > .env.example`."""

from __future__ import annotations

import textwrap

from app.settings import PREFIX, Settings

HEAD = """\
# The settings of the token server with their defaults. Copy this file to .env and change what you need; an empty value
# counts as none. TOKENSERVER_<NAME>_FILE names a file that holds the value instead, as container secrets do.
# Written by: python -m tests.support.env_example > .env.example
"""


def example() -> str:
    """Every setting with its documentation and its default."""
    parts = [HEAD]
    for name, field in Settings.model_fields.items():
        words = textwrap.fill(
            " ".join(str(field.description).split()), 118, initial_indent="# ", subsequent_indent="# "
        )
        default = "" if field.default in (None, "", ()) else field.default
        parts.append(f"{words}\n{PREFIX}{name.upper()}={default}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(example(), end="")
