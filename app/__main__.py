"""`python -m app …`: the command line of the server (see `cli`)."""

import os

from flask import Flask

from app import create_runner, create_services
from app.cli import command_line

if __name__ == "__main__":
    os.umask(0o077)  # the database and the keys are nobody else's
    command_line(
        lambda settings: create_services(Flask("tokenserver"), settings),
        create_runner,
    )(prog_name="python -m app")
