"""``colporteur deliver``: a message from a pipe, handed to the LMTP listener. No Django, no keys, no database.

Exit statuses are those of sysexits.h that mail systems read: 0 accepted, 67 no such list, 69 too big or service off,
75 try again.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import sys

import click

from colporteur.options import SettingsError, read, split_address

NO_SUCH_LIST, UNAVAILABLE, TRY_AGAIN = 67, 69, 75
MOST = 100  # recipients of one transaction
_LINE_END = re.compile(rb"\r?\n")
_ADDRESS = re.compile(r"[^\x00-\x20<>\x7f]{1,320}")
_SECONDS = 300.0


class Refused(Exception):
    """The listener said no: a reply code and text, about one recipient or all."""

    def __init__(self, code: int, text: bytes | str, recipient: str = "") -> None:
        self.code = code
        words = " ".join((text.decode("utf-8", "replace") if isinstance(text, bytes) else text).split())
        super().__init__(f"{recipient}: {code} {words}" if recipient else f"{code} {words}")

    @property
    def status(self) -> int:
        """Exit status for the reply."""
        if self.code < 500:
            return TRY_AGAIN
        return NO_SUCH_LIST if " 5.1." in str(self) else UNAVAILABLE


@click.command()
@click.option("--recipient", "recipients", multiple=True, required=True, metavar="ADDR", help="Address of the list; give it again for further ones.")
@click.option("--sender", default="", metavar="ADDR", help="Envelope sender; without it the null sender.")
def deliver(recipients: tuple[str, ...], sender: str) -> None:
    """Hand a message from standard input to the LMTP listener (COLPORTEUR_LMTP).

    All recipients take it or none does. Exit status: 0 accepted, 75 try again, 67 no such list, 69 too big or service off.
    """
    try:
        _check(sender, *recipients)
        hand_over(wire(sys.stdin.buffer.read()), sender.strip("<>"), list(dict.fromkeys(recipient.strip("<>") for recipient in recipients)))
    except click.UsageError:
        raise
    except Refused as refused:
        _end(str(refused), refused.status)
    except SettingsError as error:
        _end(str(error), TRY_AGAIN)
    except (OSError, smtplib.SMTPException) as error:
        _end(f"the LMTP listener {read('COLPORTEUR_LMTP')} cannot be used now: {error}", TRY_AGAIN)


def wire(raw: bytes) -> bytes:
    """The message in lines that end in CRLF, as sendmail does it with what programs pipe in; a bare CR stays."""
    lines = _LINE_END.sub(b"\r\n", raw)
    return lines if lines.endswith(b"\r\n") or not lines else lines + b"\r\n"


def hand_over(message: bytes, sender: str, recipients: list[str]) -> None:
    """One LMTP transaction with the listener. Raises ``Refused``, ``OSError`` and ``smtplib.SMTPException``."""
    address = read("COLPORTEUR_LMTP")
    if not address:
        raise Refused(451, "COLPORTEUR_LMTP is empty: nobody listens")
    host, port = split_address(address)
    client = smtplib.LMTP(host, port, local_hostname="localhost", timeout=_SECONDS)
    try:
        replies = _transaction(client, message, sender, recipients)
    finally:
        with contextlib.suppress(OSError, smtplib.SMTPException):  # what was taken stays taken, however they part
            client.quit()
        client.close()
    refusals = [Refused(code, text, recipient) for recipient, (code, text) in zip(recipients, replies, strict=True) if code // 100 != 2]
    if len(refusals) == len(recipients):
        raise refusals[0]
    if refusals:  # said again, the listener drops what it has already
        raise Refused(451, f"not taken for everybody: {refusals[0]}")


def _transaction(client: smtplib.LMTP, message: bytes, sender: str, recipients: list[str]) -> list[tuple[int, bytes]]:
    client.ehlo_or_helo_if_needed()
    if 0 < int(client.esmtp_features.get("size") or 0) < len(message):
        raise Refused(552, "5.3.4 Message too big")
    _expect(client.mail(sender, [f"SIZE={len(message)}", "BODY=8BITMIME", *(["SMTPUTF8"] if not "".join((sender, *recipients)).isascii() else [])]))
    for recipient in recipients:
        code, text = client.rcpt(recipient)
        if code // 100 != 2:
            client.rset()
            raise Refused(code, text, recipient)
    _expect(client.docmd("DATA"), 354)
    client.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
    return [client.getreply() for _ in recipients]


def _expect(reply: tuple[int, bytes], code: int = 250) -> None:
    if reply[0] != code:
        raise Refused(*reply)


def _check(*addresses: str) -> None:
    if len(addresses) > MOST + 1:
        raise click.UsageError(f"at most {MOST} recipients")
    for address in addresses:
        if address.strip("<>") and not _ADDRESS.fullmatch(address.strip("<>")):
            raise click.BadParameter(f"{address[:80]!r} is not an address")


def _end(words: str, status: int) -> None:
    click.echo(f"colporteur deliver: {words}", err=True)
    sys.exit(status)
