"""What must a fork not find half done? Servers fork, and our threads run beside whoever does it.

A fork copies one thread, and the locks of all. A lock of OpenSSL that another thread held, amid a TLS handshake or the
first use of a key, would stay held in the child for good: its own thread could never hear the news, and every request
would be answered 503. So our threads do such things `WHOLE`, and a fork waits until they are done: a handshake ends
within the `timeout` of its connection. What a connection needs besides is made before there is a thread (`prepared`):
of a module that was being imported, a child would find the half, and not begin again.
"""

from __future__ import annotations

import codecs
import os
import ssl
import threading
from functools import cache
from typing import Final

WHOLE: Final = threading.RLock()
"""Held where no fork may come between; never while waiting for an answer, which may take long."""


_trusting_the_system = cache(ssl.create_default_context)


def prepared(context: ssl.SSLContext | None) -> ssl.SSLContext:
    """What every connection needs, with this context or, for None, one that trusts what the system trusts: some 20 ms,
    once in a process.
    """
    codecs.lookup("idna")  # sockets import it when they are first given a name
    return context or _trusting_the_system()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(before=WHOLE.acquire, after_in_parent=WHOLE.release, after_in_child=WHOLE.release)
