"""`organization`, `project`, `operator`, `webhook`: whose credentials they are, who manages them, and who is told."""

from __future__ import annotations

from tokenserver.cli.building import group_of
from tokenserver.cli.resources import OPERATOR, ORGANIZATION, PROJECT, WEBHOOK

organization = group_of(ORGANIZATION)
project = group_of(PROJECT)
operator = group_of(OPERATOR)
webhook = group_of(WEBHOOK)
