"""`api` and `role`: what can be granted."""

from __future__ import annotations

from tokenserver.cli.building import group_of
from tokenserver.cli.resources import API, ROLE

api = group_of(API)
role = group_of(ROLE)
