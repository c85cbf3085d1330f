"""Which installation is meant, who acts, and what does a failure look like?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from app.services import Services
from app.services.audit import Caller
from app.settings import InvalidSettings, Settings, load, unknown_variables
from tokenserver.errors import TokenServerError

Connect = Callable[[Settings], Services]


@contextmanager
def plainly() -> Iterator[None]:
    """Failures that we know become one line, without a traceback."""
    try:
        yield
    except InvalidSettings as fault:
        click.echo(str(fault), err=True)
        sys.exit(2)
    except TokenServerError as fault:
        click.echo(" ".join(filter(None, [fault.public, fault.detail])), err=True)
        sys.exit(1)
    except OSError as fault:
        click.echo(_in_words(fault), err=True)
        sys.exit(1)


def _in_words(fault: OSError) -> str:
    if fault.filename is None:
        return str(fault)
    told = f"{fault.filename}: {fault.strerror}. State is kept under TOKENSERVER_HOME"
    return (
        f"{told}; run this as the user that the server runs as." if isinstance(fault, PermissionError) else f"{told}."
    )


def warn_of_misspelt() -> None:
    for name in unknown_variables():
        click.echo(f"{name} is not a setting: is it misspelt?", err=True)


def there(connect: Connect) -> Services:
    """The services of an installation that is there: in a wrong folder these commands must not begin a new one."""
    settings = load()
    if settings.on_sqlite and not Path(settings.database_url.removeprefix("sqlite:///")).exists():
        raise InvalidSettings(
            f"There is no installation here: {settings.database_url} does not exist. Set TOKENSERVER_HOME or"
            " TOKENSERVER_DATABASE_URL, or make one with python -m app bootstrap."
        )
    return connect(settings)


def shell(services: Services) -> Caller:
    return services.installation.prepare()
