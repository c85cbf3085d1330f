"""A fork finds nothing half done: else the child could never connect, and would answer 503 until it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from tests.support.transports import over_http
from tests.support.world import ROOT


def run(program, *arguments):
    """In a process of its own, which prints `ok` at its end."""
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "ok\n", done.stderr + done.stdout


def test_threads_import_nothing():
    """A child whose parent was importing finds the module begun, and nobody who goes on with it."""
    with over_http() as issuer:
        run(
            """
            import sys
            from tokenserver.resource import UsageReports, Verifier

            reports = UsageReports(client_id="tsc_x", secret="tss_x", instance="here")
            verifier = Verifier(issuer=sys.argv[1], audience=sys.argv[2], reports=reports)
            before = set(sys.modules)
            with verifier:
                assert verifier.ready(20), verifier.health()
                assert not verifier.usage.report(), "nobody takes it there"
            assert set(sys.modules) == before, set(sys.modules) - before
            print("ok")
            """,
            issuer.name,
            issuer.audience,
        )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.fault(
    "a server forks while the thread makes its first connection",
    "the fork waits for the end of the handshake, so that no lock of OpenSSL stays held in the child",
)
def test_a_fork_waits_for_the_end_of_a_handshake():
    run(
        """
        import os, socket, threading
        from tokenserver.resource.fetching import HttpFetch, get
        from tokenserver.resource.knowledge import NoNews

        def fetch():
            try:
                get(HttpFetch(), f"https://127.0.0.1:{listening.getsockname()[1]}/", 30)
            except NoNews as refused:
                found.append(refused.detail)

        listening, found, ended = socket.create_server(("127.0.0.1", 0)), [], []
        thread = threading.Thread(target=fetch)
        thread.start()
        accepted, _ = listening.accept()
        assert accepted.recv(1)                 # it is amid its handshake now, and waits for the answer

        def hang_up():
            ended.append(True)
            accepted.close()

        threading.Timer(0.3, hang_up).start()
        child = os.fork()
        if not child:
            os._exit(0 if ended else 1)
        assert os.waitpid(child, 0)[1] == 0, "it did not wait"
        thread.join(30)
        assert len(found) == 1
        print("ok")
        """
    )
