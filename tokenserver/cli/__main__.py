"""Where does the command begin? Also `python -m tokenserver.cli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; says what to install where its libraries are missing."""
    try:
        import click  # noqa: F401, PLC0415  asked for by name, before anything else needs it
    except ImportError:
        sys.exit("The command needs libraries of its own: pip install 'tokenserver[cli]'")
    from tokenserver.cli.root import cli  # noqa: PLC0415  as above

    cli.main(prog_name="tokenserver")


if __name__ == "__main__":
    main()
