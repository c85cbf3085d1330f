# ruff: noqa: INP001  a program by itself
"""The keys of a token server as files for HAProxy's jwt_verify: jwks_to_pem.py URL_OF_JWKS FOLDER

Writes the last two keys that are published, as key-1.pem and key-2.pem; where there is one, both hold it. A new key is
published five minutes before it signs: run this every minute, and reload HAProxy when it exits with 10 (changed). When
the key set cannot be read, or holds no ES256 key, it writes nothing and exits with 1. Needs PyJWT and cryptography.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def main(url: str, folder: Path) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  the address is the administrator's own
        published = [key for key in json.load(answer)["keys"] if key.get("alg") == "ES256"][-2:]
    if not published:
        sys.stderr.write("the key set holds no ES256 key\n")
        return 1
    pems = [jwt.PyJWK(key).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for key in published]
    files = {folder / f"key-{number}.pem": pem for number, pem in ((1, pems[0]), (2, pems[-1]))}
    changed = [file for file, pem in files.items() if not file.exists() or file.read_bytes() != pem]
    folder.mkdir(exist_ok=True)
    for file in changed:
        new = file.with_suffix(".new")
        new.write_bytes(files[file])
        os.replace(new, file)  # noqa: PTH105  in one step, as HAProxy may be reading
    return 10 if changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
