"""Signatures a second on one core for a post of 4 KiB: ``python -m tests.bench.bench_signing``. No test: it prints."""

from __future__ import annotations

import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from colporteur.mail.render import prepare
from colporteur.mail.signing import Key, Signer
from tests.bench.bench_render import FOOTER, ONE_CLICK, post

SECONDS = 2.0
TOKEN = "abcdefgh" * 3


def main() -> None:
    """A line for each key and message."""
    rsa, edwards = Key("list.example", "r", generate_private_key(65537, 2048)), Key("list.example", "e", Ed25519PrivateKey.generate())
    for title, keys in (("RSA-2048", [rsa]), ("Ed25519", [edwards]), ("both", [rsa, edwards])):
        for what, rules, way in (("header slots only", ONE_CLICK, "7bit"), ("and a footer with names", FOOTER, "7bit"), ("the same, base64", FOOTER, "base64")):
            prepared = prepare(post(way), rules)
            signer = Signer(prepared, keys)
            made, began = 0, time.process_time()
            while (spent := time.process_time() - began) < SECONDS:
                for _ in range(100):
                    prepared.wire_for("anna@example.org", "Anna Martin", TOKEN, signer.sign("anna@example.org", "Anna Martin", TOKEN, 1_800_000_000))
                made += 100
            print(f"{title:10}{what:26}{made / spent:8.0f}/s of CPU  {spent / made * 1e6:7.1f} us a copy")


if __name__ == "__main__":
    main()
