#!/usr/bin/python3
"""Asks the token server for Apache (RewriteMap prg): apache_forward_auth.py URL; see apache_forward_auth.conf.

A line in is an address and the Authorization header; a line out is a status, and then the challenge, or what is told of
the caller; with tabs between. Whatever goes wrong is 503. Needs nothing but Python.
"""

import sys
import urllib.error
import urllib.request

TOLD = ("Client-Id", "Roles", "Scopes", "Organization", "Project", "Environment", "Token-Id")


def answer(url: str, line: str) -> str:
    address, _, authorization = line.rstrip("\n").partition(" ")
    headers = {"X-Forwarded-For": address}
    if authorization:
        headers["Authorization"] = authorization
    try:
        asked = urllib.request.Request(url, headers=headers)  # noqa: S310  the administrator's own address
        with urllib.request.urlopen(asked, timeout=3) as found:  # noqa: S310
            said = [(found.headers.get(f"X-Auth-{name}") or "").replace("\t", " ") for name in TOLD]
            return "\t".join(["200", *said])
    except urllib.error.HTTPError as fault:
        challenge = fault.headers.get("WWW-Authenticate", "Bearer")
        return f"{fault.code}\t{challenge}" if fault.code in {401, 403} else "503"
    except Exception:  # noqa: BLE001  closed, whatever it is; and the program must go on
        return "503"


for line in sys.stdin:
    sys.stdout.write(answer(sys.argv[1], line) + "\n")
    sys.stdout.flush()
