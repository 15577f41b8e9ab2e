"""Messages for the stories: the shared corpus of real ones where its folder is there, and the project's own samples."""

from __future__ import annotations

import base64
import re
from pathlib import Path

SHARED = Path(__file__).parents[3] / "shared" / "data"


def messages() -> dict[str, bytes]:
    """Name -> raw bytes. Says on standard output when the shared corpus is missing; the own samples are always there."""
    found = {f"own/{name}": raw for name, raw in samples().items()}
    if not SHARED.is_dir():
        print(f"corpus: {SHARED} is not there; only the project's own {len(found)} samples are used")
        return found
    for path in sorted((SHARED / "messages").rglob("*")) + sorted((SHARED / "bounces" / "msg").iterdir()) + sorted((SHARED / "mboxes").iterdir()):
        if path.is_file():
            # A whole mailbox, or a compressed one, is a fine hostile message too.
            found[str(path.relative_to(SHARED))] = path.read_bytes()
    for path in sorted((SHARED / "mboxes").glob("*.txt")):
        for number, raw in enumerate(re.split(rb"(?m)^From .*\n", path.read_bytes())[1:], 1):
            found[f"{path.relative_to(SHARED)}#{number}"] = raw
    return found


def samples() -> dict[str, bytes]:
    """The project's own: what has broken other systems, one sample each."""
    plain = b"From: Anna <anna@members.example>\nTo: amis@lists.example\nSubject: Hello\nMessage-ID: <%s@members.example>\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n%s\n%s"

    def sample(name: str, headers: bytes = b"", body: bytes = b"A few words.\n") -> bytes:
        return plain % (name.replace(" ", "-").encode(), headers, body)

    def multipart(kind: bytes, *parts: bytes) -> tuple[bytes, bytes]:
        return b"MIME-Version: 1.0\nContent-Type: multipart/%s; boundary=bb\n" % kind, b"".join(b"--bb\n" + part + b"\n" for part in parts) + b"--bb--\n"

    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(300))
    picture = b"Content-Type: image/png; name=p.png\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment\n\n" + base64.encodebytes(bytes(range(256)) * 20)
    text, html = b"Content-Type: text/plain; charset=utf-8\n\n\xc3\xa7a va\n", b"Content-Type: text/html\n\n<p>&ccedil;a va</p>\n"
    status = b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\nFinal-Recipient: rfc822; gone@x.example\nAction: failed\nStatus: 5.1.1\n"
    return {
        "plain": sample("plain"),
        "empty": b"",
        "one line end": b"\n",
        "no headers": b"Just words, and no header at all.\n",
        "headers only": b"Subject: nothing follows\nMessage-ID: <headers-only@x.example>",
        "no message-id": b"From: a@members.example\nSubject: x\n\nbody\n",
        "two authors": sample("two authors", b"From: Other <other@else.example>\n"),
        "eight bits in headers": sample("eight bits", b"X-Name: J\xe9r\xf4me\nComments: \xff\xfe\n"),
        "NUL": sample("NUL", b"X-Nul: a\x00b\n", b"a\x00b\n\x00"),
        "bare CR": sample("bare CR", b"", b"one\rtwo\r.\rthree\n"),
        "line ends of all kinds": sample("line ends", b"", b"one\r\ntwo\nthree\r\r\nfour\n\r.\n"),
        "lone dots": sample("lone dots", b"", b".\n..\n...\n.x\n\n.\n"),
        "smuggling": sample("smuggling", b"", b"x\n.\nMAIL FROM:<evil@x.example>\nRCPT TO:<amis@lists.example>\nDATA\nSubject: smuggled\n\nx\n.\n"),
        "From line": b"From anna@members.example Sat Nov 21 10:00:00 2026\n" + sample("From line", b"", b">From here\nFrom there\n"),
        "300 levels": sample("300 levels", nested, b"deep\n"),
        "10000 addresses": sample("10000 addresses", b"Cc: " + b",\n ".join(b"m%d@members.example" % number for number in range(10_000)) + b"\n"),
        "10000 fields": sample("10000 fields", b"X-Field: x\n" * 10_000),
        "line of a megabyte": sample("line of a megabyte", b"", b"x" * 1_048_576 + b"\n"),
        "field of a megabyte": sample("field of a megabyte", b"X-Long: " + b"y" * 1_048_576 + b"\n"),
        "wrong charset": sample("wrong charset", b"Content-Type: text/plain; charset=utf-8\n", b"\xe9\xff\n"),
        "unknown charset": sample("unknown charset", b"Content-Type: text/plain; charset=klingon\n", b"\xe9\n"),
        "broken base64": sample("broken base64", b"Content-Transfer-Encoding: base64\n", b"!!!not base64@@@\n"),
        "boundary never closed": sample("never closed", b"Content-Type: multipart/mixed; boundary=bb\n", b"--bb\n\nx\n"),
        "boundary never used": sample("never used", b"Content-Type: multipart/mixed; boundary=bb\n", b"x\n"),
        "multipart without boundary": sample("no boundary", b"Content-Type: multipart/mixed\n", b"x\n"),
        "alternative": sample("alternative", *multipart(b"alternative", text, html)),
        "attachment": sample("attachment", *multipart(b"mixed", text, picture)),
        "signed": sample("signed", *multipart(b"signed; protocol=application/pgp-signature", text, b"Content-Type: application/pgp-signature\n\n-----BEGIN PGP SIGNATURE-----\n")),
        "delivery report": sample("delivery report", *multipart(b"report; report-type=delivery-status", text, status)),
        "absence notice": sample("absence notice", b"Auto-Submitted: auto-replied\nSubject: Out of office\n"),
        "encoded subject": sample("encoded subject", b"Subject: =?utf-8?q?R=C3=A9p=3A_?= =?bogus?x?y?= =?utf-8?b?w6k=?=\n"),
    }
