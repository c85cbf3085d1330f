"""How often is looked whether somebody must be told of an expiry? Every minute; what is many is told in several."""

from __future__ import annotations

from app.jobs.job import Job
from app.services.notices import Notices
from tokenserver.clock import MINUTE


def notices_job(notices: Notices) -> Job:
    return Job("notices", MINUTE, lambda now: notices.work(now) > 0)
