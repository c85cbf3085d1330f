"""When do these resource servers refuse a token? Run by `ending`, which talks to it in lines of JSON.

python -m scripts.bench_parts.watching ISSUER AUDIENCE ROLE COUNT WAIT

It says `{"ready": COUNT}` when each verifier has its first news. On `{"token": …}` it says how many accept it
(`accepting`), and later `{"refused": [moments]}`, on the monotonic clock that all processes of the machine share. It
ends when its input does, and so with whoever started it.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tokenserver.errors import InvalidToken
from tokenserver.resource import Require, Verifier

_PATIENCE = 30.0
_ADDRESS = "127.0.0.1"


def main() -> None:
    issuer, audience, role, count, wait = sys.argv[1:]
    verifiers = [Verifier(issuer=issuer, audience=audience, wait=float(wait)) for _ in range(int(count))]
    require = Require(roles={role})
    with ThreadPoolExecutor(len(verifiers)) as threads:
        say(ready=sum(threads.map(_started, verifiers)))
        for line in sys.stdin:
            token = json.loads(line)["token"]
            all_accept = threading.Barrier(len(verifiers) + 1)
            watched = [threads.submit(_refused_at, one, token, require, all_accept) for one in verifiers]
            all_accept.wait(_PATIENCE)
            say(accepting=len(verifiers))
            say(refused=[moment for moment in (one.result() for one in watched) if moment is not None])


def say(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def _started(verifier: Verifier) -> bool:
    time.sleep(random.uniform(0, 1))  # nobody's resource servers all poll in the same moment
    verifier.start()
    return verifier.ready(_PATIENCE)


def _refused_at(verifier: Verifier, token: str, require: Require, all_accept: threading.Barrier) -> float | None:
    """The moment at which `verifier` first refuses what it has just accepted: looked at after every piece of news."""
    verifier.verify(token, require, address=_ADDRESS)
    seq = verifier.health()["seq"]
    all_accept.wait(_PATIENCE)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        verifier.wait_until(seq + 1, timeout=0.5)
        try:
            verifier.verify(token, require, address=_ADDRESS)
        except InvalidToken:
            return time.monotonic()
        seq = verifier.health()["seq"]
    return None


if __name__ == "__main__":
    main()
