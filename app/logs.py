"""How does a log line look? One JSON object a line on standard error, in ASCII, so that no text can forge a line.

The root logger is set up once per process. Libraries that would log tokens or statements are capped where they are
used.
"""

from __future__ import annotations

import logging

import structlog


def log_as_json(level: str) -> None:
    """Send every logger's lines to standard error as JSON."""
    handler = logging.StreamHandler()
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=["request_id", "status"]),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=True),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
