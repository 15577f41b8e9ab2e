"""Live tests of mailboxes and transports: what works, or exactly what does not and what to do. No rows are touched.

A sentence has {names}; whoever shows it translates the sentence first and fills it afterwards (``Checked.text``).
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

from colporteur.adapters.sources import Found, Listed, Source, Trouble, connecting, printable
from colporteur.adapters.sources.kinds import connect
from colporteur.adapters.transports import Stage
from colporteur.adapters.transports import Trouble as TransportTrouble
from colporteur.adapters.transports.esp.asking import ask
from colporteur.adapters.transports.smtp.options import Options, read
from colporteur.domain.mailboxes import Account
from colporteur.domain.services import is_service, read_account
from colporteur.domain.words import gettext_noop as _

SECONDS = 20.0
FIELD = "X-Colporteur-Probe"
SMALL = 64 * 1024  # bytes; larger messages are not ours

MAILBOX_PUSHES = _("Configuration OK: {messages} messages in {folder}, new ones are announced at once.")
MAILBOX_POLLED = _("Configuration OK: {messages} messages in {folder}, looked at every {every} seconds.")
TRANSPORT_OK = _("Configuration OK: {host} takes messages from {sender}.")
TRANSPORT_OPEN = _("Configuration OK: {host} answers and lets us in.")
SERVICE_OK = _("Configuration OK: {service} knows the key.")
SERVICE_KEY = _("{service} refused the key: make one over there that may send, and write it here.")
SERVICE_NOT = _("{service} cannot be used now.")
FOLDER_OK = _("Configuration OK: messages are written to {folder}.")
FOLDER_NOT = _("Nothing can be written to {folder}: make it and give it to the user the server runs as.")
NOT_A_TRANSPORT = _("This is not the URL of a transport.")
SMTP_GREETING = _("{host} answers on port {port}, but does not want to talk to us.")
SMTP_TLS = _("{host} refuses to encrypt on port {port}: choose SSL and port 465, or no encryption on a private network.")
SMTP_NO_AUTH = _("{host} wants no password on port {port}: leave the user out, or use the port for sending (587 or 465).")
SMTP_PASSWORD = _("{host} refused the user name or the password of {user}.")
SMTP_SENDER = _("{host} does not take messages from {sender}: use an account that may send as this address.")
SMTP_RECIPIENT = _("{host} does not take messages to {recipient}: sign in with a user, or allow our address to relay.")
SMTP_DATA = _("{host} refused the message itself.")
SHARED_OK = _("Configuration OK: messages sent by the transport arrive in the mailbox.")
NOT_ARRIVED = _("{host} took a test message for {address}, but it did not arrive in the mailbox within {seconds} seconds.")


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer of one test. ``detail``: the server's own words. ``found``: what a mailbox holds."""

    ok: bool
    sentence: str
    values: Mapping[str, str | int] = field(default_factory=dict)
    detail: str = ""
    found: Found | None = None

    def text(self, translate: Callable[[str], str] = str) -> str:
        """The sentence, translated and filled, with the server's words behind it."""
        text = translate(self.sentence).format(**self.values)
        return f"{text} ({self.detail})" if self.detail else text


@dataclass(frozen=True, slots=True)
class Shared:
    """What a shared host lets pass. ``traits`` (``flow.mailboxes.TRAITS``) is empty when the test could not be made;
    ``refusals``: trait -> the server's words."""

    checked: Checked
    traits: Mapping[str, bool] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)


def check_mailbox(account: Account) -> Checked:
    """Connect, sign in, open the folder (made where taken messages go), and say what is there."""
    try:
        source = connect(account, SMALL)
        try:
            found = source.found()
        finally:
            source.close()
    except Trouble as error:
        return Checked(False, error.sentence, error.values, error.detail)
    sentence = MAILBOX_PUSHES if found.idles else MAILBOX_POLLED
    return Checked(True, sentence, {"messages": found.messages, "folder": account.folder, "every": account.every}, found=found)


def check_transport(url: str, sender: str = "", recipient: str = "") -> Checked:
    """Connect, encrypt, sign in; with ``sender`` and ``recipient`` go as far as RCPT, and send nothing."""
    parts = urlsplit(url)
    if parts.scheme == "folder":
        return _check_folder(Path(parts.path))
    if is_service(parts.scheme):
        return _check_service(url)
    try:
        options = read(url)
        with _dialogue(options) as client:
            if sender:
                _envelope(client, options, sender, recipient or sender)
                client.rset()
    except Refused as refused:
        return refused.checked
    except ValueError as error:
        return Checked(False, NOT_A_TRANSPORT, {}, printable(str(error)))
    sentence = TRANSPORT_OK if sender else TRANSPORT_OPEN
    return Checked(True, sentence, {"host": options.host, "sender": sender})


def check_shared(url: str, account: Account, address: str, mark: str, *, seconds: float = 60, grace: float = 5) -> Shared:
    """Send from the transport to the mailbox and collect it back, to learn what the host lets pass.

    ``mark`` (``flow.mailboxes.probe_mark``) keeps a collector from taking the test messages for posts. Waits ``seconds``
    for the plain one, ``grace`` seconds more for the others. What arrived is removed again.
    """
    try:
        options = read(url)
    except ValueError as error:
        return Shared(Checked(False, NOT_A_TRANSPORT, {}, printable(str(error))))
    letters = _letters(address, account.user if "@" in account.user else address)
    refusals: dict[str, str] = {}
    try:
        source = connect(replace(account, move_to=""), SMALL)  # what was sent is deleted, not kept among what was taken
        try:
            before = {message.uid for message in source.listing().messages}
            source.finish()
            for name, letter in letters.items():
                try:
                    _send(options, letter, address, mark, name)
                except Refused as refused:
                    if name == "plain":
                        return Shared(refused.checked)
                    refusals[name] = refused.checked.text()
            arrived = _collect(source, before, mark, set(letters) - set(refusals), seconds, grace)
        finally:
            source.close()
    except Trouble as error:
        return Shared(Checked(False, error.sentence, error.values, error.detail))
    if "plain" not in arrived:
        return Shared(Checked(False, NOT_ARRIVED, {"host": options.host, "address": address, "seconds": int(seconds)}))
    traits = {name: letter.author.encode() in arrived.get(name, b"") for name, letter in letters.items() if name != "plain"}
    return Shared(Checked(True, SHARED_OK), traits, refusals)


# --- SMTP --------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """A step of the dialogue failed; ``checked`` says which and why."""

    def __init__(self, checked: Checked) -> None:
        super().__init__(checked.text())
        self.checked = checked


@contextmanager
def _dialogue(options: Options) -> Iterator[smtplib.SMTP]:
    """A connection that is greeted, encrypted and signed in. Raises ``Refused``."""
    where: dict[str, str | int] = {"host": options.host, "port": options.port}
    account = Account("smtp", options.host, options.port, options.user, "", tls=options.tls)
    client: smtplib.SMTP | None = None
    try:
        try:
            name = options.helo or socket.getfqdn()
            if options.tls == "ssl":
                client = smtplib.SMTP_SSL(options.host, options.port, name, timeout=SECONDS, context=options.context())
            else:
                client = smtplib.SMTP(options.host, options.port, name, timeout=SECONDS)
            client.ehlo_or_helo_if_needed()
            if options.tls == "starttls":
                _start_tls(client, options, where)
        except smtplib.SMTPResponseException as error:
            if error.smtp_code < 0:  # no reply code at all
                raise Refused(Checked(False, connecting.NOT_A_SERVER, {**where, "kind": "SMTP"}, printable(error.smtp_error))) from error
            raise _refusal(SMTP_GREETING, error, where) from error
        except smtplib.SMTPException as error:
            raise Refused(Checked(False, connecting.NOT_A_SERVER, {**where, "kind": "SMTP"}, printable(str(error)))) from error
        if options.user:
            _sign_in(client, options, where)
        yield client
    except (OSError, ssl.SSLError) as error:
        told = connecting.trouble(error, account, connecting=client is None)
        raise Refused(Checked(False, told.sentence, told.values, told.detail)) from error
    finally:
        if client:
            client.close()


def _start_tls(client: smtplib.SMTP, options: Options, where: Mapping[str, str | int]) -> None:
    if not client.has_extn("starttls"):
        raise Refused(Checked(False, connecting.NO_STARTTLS, where))
    code, words = client.starttls(context=options.context())
    if code != 220:
        raise Refused(Checked(False, SMTP_TLS, where, printable(words)))
    client.ehlo()


def _sign_in(client: smtplib.SMTP, options: Options, where: Mapping[str, str | int]) -> None:
    try:
        client.login(options.user, options.password)
    except smtplib.SMTPNotSupportedError:
        raise Refused(Checked(False, SMTP_NO_AUTH, where)) from None
    except (smtplib.SMTPResponseException, smtplib.SMTPException, UnicodeEncodeError) as error:
        raise _refusal(SMTP_PASSWORD, error, {**where, "user": options.user}) from error


def _envelope(client: smtplib.SMTP, options: Options, sender: str, recipient: str) -> None:
    names = {"host": options.host, "sender": sender, "recipient": recipient}
    code, words = client.mail(sender)
    sentence = SMTP_SENDER
    if code < 400:
        code, words = client.rcpt(recipient)
        sentence = SMTP_SENDER if b"Sender address" in words else SMTP_RECIPIENT  # Postfix judges the sender only now
    if code >= 400:
        raise Refused(Checked(False, sentence, names, f"{code} {printable(words)}"))


def _refusal(sentence: str, error: Exception, names: Mapping[str, str | int]) -> Refused:
    words = f"{error.smtp_code} {printable(error.smtp_error)}" if isinstance(error, smtplib.SMTPResponseException) else printable(str(error))
    return Refused(Checked(False, sentence, names, words))


def _check_service(url: str) -> Checked:
    """Ask the service's interface something harmless with our key."""
    try:
        account = read_account(url)
        return Checked(True, SERVICE_OK, {"service": account.service.title}, printable(ask(account).partition("; ")[2]))
    except ValueError as error:
        return Checked(False, NOT_A_TRANSPORT, {}, printable(str(error)))
    except TransportTrouble as error:
        return Checked(False, SERVICE_KEY if error.stage is Stage.AUTH else SERVICE_NOT, {"service": account.service.title}, printable(str(error)))


def _check_folder(path: Path) -> Checked:
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".colporteur-probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Checked(False, FOLDER_NOT, {"folder": str(path)}, printable(error.strerror or ""))
    return Checked(True, FOLDER_OK, {"folder": str(path)})


# --- the shared host ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Letter:
    sender: str
    recipient: str
    author: str


def _letters(address: str, sender: str) -> dict[str, _Letter]:
    """Trait -> the message that tells; the plain one last, so that the others had their time when it is there.

    ``sender``: what the account may send as, whatever else it may.
    """
    local, _at, host = address.rpartition("@")
    plus = f"{local}+probe@{host}"
    return {
        "envelope_sender": _Letter(plus, address, sender),
        "plus_part": _Letter(sender, plus, sender),
        "from_address": _Letter(sender, address, "somebody.else@probe.invalid"),
        "plain": _Letter(sender, address, sender),
    }


def _send(options: Options, letter: _Letter, address: str, mark: str, name: str) -> None:
    domain = address.rpartition("@")[2]
    raw = (
        f"From: <{letter.author}>\r\nTo: <{address}>\r\nSubject: Colporteur tests this mailbox ({name})\r\nDate: {formatdate()}\r\n"
        f"Message-ID: <{mark}.{name}@{domain}>\r\n{FIELD}: {mark} {name}\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n\r\nA test of what this mail server lets pass. It removes itself.\r\n"
    )
    with _dialogue(options) as client:
        try:
            _envelope(client, options, letter.sender, letter.recipient)
            code, words = client.data(raw)
        except smtplib.SMTPResponseException as error:
            code, words = error.smtp_code, printable(error.smtp_error).encode()
        except smtplib.SMTPException as error:
            raise _refusal(SMTP_DATA, error, {"host": options.host}) from error
        if code >= 400:
            raise Refused(Checked(False, SMTP_DATA, {"host": options.host}, f"{code} {printable(words)}"))


def _collect(source: Source, before: set[str], mark: str, awaited: set[str], seconds: float, grace: float) -> dict[str, bytes]:
    """Name -> header of the test messages that arrived in time; they are removed from the mailbox."""
    arrived: dict[str, bytes] = {}
    deadline = time.monotonic() + seconds
    while awaited - set(arrived) and time.monotonic() < deadline:
        listing = source.listing()
        fresh = [message for message in listing.messages if message.uid not in before and message.size <= SMALL]
        ours = _read(source, fresh, mark)
        if ours:
            source.remove([uid for uid, _name, _header in ours])
        source.finish()
        before |= {message.uid for message in fresh}
        for _uid, name, header in ours:
            arrived[name] = header
            if name == "plain":
                deadline = min(deadline, time.monotonic() + grace)
        if awaited - set(arrived):
            time.sleep(0.3)
    return arrived


def _read(source: Source, fresh: Sequence[Listed], mark: str) -> list[tuple[str, str, bytes]]:
    found = []
    for fetched in source.fetch(fresh):
        header = (fetched.raw or b"").replace(b"\r\n", b"\n").partition(b"\n\n")[0]
        for line in header.split(b"\n"):
            if line.startswith(f"{FIELD}: {mark} ".encode()):
                author = next((one for one in header.split(b"\n") if one.lower().startswith(b"from:")), b"")
                found.append((fetched.uid, line.split()[-1].decode("ascii", "replace"), author))
    return found
