"""What does any other WSGI server run? `app.wsgi:application`, with the settings of the environment.

`python -m app serve` does not use it, and has advantages: a token request needs no thread of its own, bodies have a
deadline, and headers with an underscore are dropped. Here all that is the business of the WSGI server and the proxy.
"""

from app import create_app
from app.logs import log_as_json
from app.settings import load

_settings = load()
log_as_json(_settings.log_level)
application = create_app(_settings)
