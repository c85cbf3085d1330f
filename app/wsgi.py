"""The WSGI application, for any WSGI server: `app.wsgi:application`. The settings come from the environment."""

import multiprocessing
import os
import threading

from app import create_app
from app.logs import log_as_json
from app.settings import load


def _end_with_the_master() -> None:
    """A worker must not outlive a master that was killed: it would go on holding the port."""
    master = multiprocessing.parent_process()
    if master is not None:
        master.join()
        os._exit(1)


_settings = load()
log_as_json(_settings.log_level)
application = create_app(_settings)
threading.Thread(target=_end_with_the_master, name="end-with-the-master", daemon=True).start()
