"""`jobs`: when each last ran, and doing them in the foreground."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from typing import Protocol

import click

from app.cli.connecting import Connect, plainly, there
from app.services import Services
from app.services.clockwork import LastRun
from tokenserver.clock import rfc3339


class Job(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def every_seconds(self) -> float: ...


class Runner(Protocol):
    """The work of the clock (`app.jobs`), which is a door like this one."""

    def run(self) -> None: ...
    def stop(self) -> None: ...
    def last_runs(self) -> Iterable[tuple[Job, LastRun | None]]: ...
    def leader(self) -> str | None: ...


RunnerOf = Callable[[Services], Runner]


def jobs_commands(cli: click.Group, connect: Connect, runner_of: RunnerOf) -> None:
    @cli.group()
    def jobs() -> None:
        """The work of the clock. A server does it by itself."""

    @jobs.command("list")
    def list_() -> None:
        """Each job with when it last ran and its outcome, and which process does them."""
        with plainly():
            runner = runner_of(there(connect))
            for job, last in runner.last_runs():
                told = "never ran" if last is None else f"last ran {rfc3339(last.at)}: {last.outcome}"
                click.echo(f"{job.name} every {job.every_seconds:g} s, {told}")
            leader = runner.leader()
            click.echo("No process does them." if leader is None else f"Process {leader} does them.")

    @jobs.command("run")
    def run_() -> None:
        """Do the work of the clock in the foreground, for servers that do not: those behind another WSGI server."""
        with plainly():
            services = there(connect)
            services.installation.refuse_unless_current()
            runner = runner_of(services)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: runner.stop())
            click.echo("Doing the work of the clock (Ctrl-C ends it).", err=True)
            runner.run()
