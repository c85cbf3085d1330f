"""The clock knocks: work that no request asks for, done by one of the processes that serve."""

from app.jobs.job import Job
from app.jobs.runner import Runner

__all__ = ["Job", "Runner"]
