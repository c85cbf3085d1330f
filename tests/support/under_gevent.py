"""A verifier in an app under gevent and its usual server: `python -m tests.support.under_gevent` prints `good`."""

from gevent import monkey  # type: ignore[import-untyped,unused-ignore]

monkey.patch_all()

import json  # noqa: E402  everything else must find the patched modules
import threading  # noqa: E402
import time  # noqa: E402
import urllib.error  # noqa: E402
import urllib.request  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent.pywsgi import WSGIServer  # type: ignore[import-untyped,unused-ignore]  # noqa: E402

from tests.support.transports import Gate, RealTime  # noqa: E402
from tokenserver.resource import Require  # noqa: E402
from tokenserver.resource.testing import FakeIssuer  # noqa: E402
from tokenserver.resource.wsgi import TokenMiddleware  # noqa: E402


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(environ["tokenserver.principal"].client_id).encode()]


def main() -> None:
    issuer = FakeIssuer(clock=RealTime())
    gate = Gate(issuer)
    verifier = issuer.verifier(background=True, poll_interval=0.05, patience=10, fetch=gate)
    app = TokenMiddleware(hello, verifier, Require(any_caller=True))
    server = WSGIServer(("127.0.0.1", 0), app, log=None)
    server.start()

    def status(token: str) -> int:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{server.server_port}/", headers={"Authorization": f"Bearer {token}"}
        )
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as fault:
            return fault.code

    token = issuer.token()
    waiting = [gevent.spawn(status, token) for _ in range(4)]  # 1. the first news is slow
    assert gate.entered.wait(10)
    turns = 0
    for _ in range(20):  # 2. and the others go on
        gevent.sleep(0)
        turns += 1
    assert turns == 20
    assert not any(one.ready() for one in waiting)
    gate.opened.set()
    assert [one.get(timeout=20) for one in waiting] == [200] * 4
    issuer.regenerate()  # 3. an end arrives by itself
    deadline = time.monotonic() + 20
    while status(token) != 401:
        assert time.monotonic() < deadline
    assert [thread.name for thread in threading.enumerate() if "tokenserver" in thread.name] != []
    verifier.stop()
    server.stop()
    print("good")


if __name__ == "__main__":
    main()
