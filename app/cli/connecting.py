"""Which installation is meant, who acts, and what does a failure look like?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from app.services import Services
from app.services.audit import Caller
from app.settings import InvalidSettings, Settings, load
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
        click.echo(str(fault), err=True)
        sys.exit(1)


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
