"""Collecting from POP3 (RFC 1939, 2449, 2595). Nothing is deleted before QUIT was answered.

poplib's own reading ends at lines of 2 kB and joins lines anew; messages are read here as they come, bounded.
"""

from __future__ import annotations

import contextlib
import hashlib
import poplib
import socket
from collections.abc import Iterator, Sequence

from colporteur.adapters.masking import masked
from colporteur.adapters.sources import CONNECT_SECONDS, READ_SECONDS, Fetched, Found, Listed, Listing, Trouble, Waiting, connecting
from colporteur.domain.mailboxes import Account, checked

FOREIGN = (poplib.error_proto, OSError, EOFError, ValueError, LookupError)
PASSING = ("[IN-USE]", "[LOGIN-DELAY]", "[SYS/TEMP]", "lock")  # RFC 2449, 3206
_CHUNK = 64 * 1024
_MESSAGES = 1_000_000


class Pop3:
    """One POP3 account; ``adapters.sources.Source``. ``limit``: largest message in bytes.

    A session sees the messages that were there when it began, so ``listing`` begins a new one after ``finish``.
    """

    def __init__(self, account: Account, limit: int) -> None:
        self.account, self.limit = checked(account), limit
        self.numbers: dict[str, int] = {}
        self.client: poplib.POP3 | None = None
        self._open()

    # --- the shape ---

    def listing(self) -> Listing:
        with self._speaking() as client:
            sizes = dict(_pairs(client, "LIST"))
            try:
                uids = {number: uid for number, uid in _pairs(client, "UIDL") if number in sizes}
            except poplib.error_proto as error:
                if _gone(error):
                    raise
                uids = {number: self._content_uid(client, number, int(size)) for number, size in sizes.items()}
        self.numbers = {uid: number for number, uid in sorted(uids.items(), reverse=True)}
        found = ((uid, sizes[number]) for uid, number in reversed(self.numbers.items()))
        return Listing(0, tuple(Listed(uid, int(size) if size.isdigit() else 0) for uid, size in found))

    def fetch(self, messages: Sequence[Listed]) -> Iterator[Fetched]:
        for message in messages:
            with self._speaking() as client:
                try:
                    raw: bytes | None = _retrieve(client, self.numbers[message.uid], self.limit)
                except poplib.error_proto as error:
                    if _gone(error):
                        raise
                    raw = None
            yield Fetched(message.uid, raw)

    def remove(self, uids: Sequence[str]) -> None:
        with self._speaking() as client:
            for uid in uids:
                client.dele(self.numbers[uid])

    def finish(self) -> None:
        with self._speaking() as client:
            client.quit()  # an answer other than +OK means that something was not deleted (RFC 1939 section 6)
        self.client, self.numbers = None, {}

    def idle(self) -> Waiting:
        return Waiting(False, None)

    def idle_over(self) -> None:
        """Nothing to do: POP3 does not push."""

    def found(self) -> Found:
        with self._speaking() as client:
            return Found(client.stat()[0], (), False, False)

    def interrupt(self) -> None:
        if self.client:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.client.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Without QUIT: what was marked but not committed by ``finish`` must stay."""
        if self.client:
            with contextlib.suppress(*FOREIGN):
                self.client.close()
        self.client = None

    # --- how ---

    def _open(self) -> poplib.POP3:
        account = self.account
        try:
            self.client = client = self._connect()
        except FOREIGN as error:
            raise connecting.trouble(error, account, connecting=True) from error
        try:
            client.user(account.user)
            client.pass_(account.password)
        except poplib.error_proto as error:
            self.close()
            raise self._refused(error) from None  # it may repeat the password
        except FOREIGN as error:
            self.close()
            raise connecting.trouble(error, account) from error
        client.sock.settimeout(READ_SECONDS)
        return client

    def _connect(self) -> poplib.POP3:
        account = self.account
        context = connecting.tls_context(account)
        connecting.check_place(account)
        implicit = account.tls == "ssl"
        client = poplib.POP3_SSL(account.host, account.port, context=context, timeout=CONNECT_SECONDS) if implicit else poplib.POP3(account.host, account.port, timeout=CONNECT_SECONDS)
        try:
            connecting.check_peer(account, client.sock)
        except Trouble:
            client.close()
            raise
        if account.tls == "starttls":
            try:
                client.stls(context)
            except poplib.error_proto as error:
                client.close()
                raise Trouble(connecting.NO_STARTTLS, lasting=True, detail=_words(error), host=account.host, port=account.port) from error
        return client

    def _refused(self, error: poplib.error_proto) -> Trouble:
        account = self.account
        words = masked(_words(error), account.user, account.password)
        if _gone(error):
            return Trouble(connecting.LOST, detail=words, host=account.host)
        if "plaintext" in words.lower() or "[PRIVACYREQUIRED]" in words:
            return Trouble(connecting.TLS_ONLY, lasting=True, detail=words, host=account.host, port=account.port)
        passing = any(word in words for word in PASSING)
        return Trouble(connecting.BUSY if passing else connecting.PASSWORD, lasting=not passing, detail=words, host=account.host, user=account.user)

    def _content_uid(self, client: poplib.POP3, number: int, size: int) -> str:
        """A name for a message of a server without UIDL: its content's. Two alike are one, which duplicates are anyway."""
        if size > self.limit:
            return f"number-{number}-size-{size}"
        return "sha256-" + hashlib.sha256(_retrieve(client, number, self.limit)).hexdigest()

    @contextlib.contextmanager
    def _speaking(self) -> Iterator[poplib.POP3]:
        client = self.client or self._open()
        try:
            yield client
        except Trouble:
            raise
        except poplib.error_proto as error:
            sentence = connecting.LOST if _gone(error) else connecting.BROKEN
            raise Trouble(sentence, detail=_words(error), host=self.account.host) from error
        except FOREIGN as error:
            raise connecting.trouble(error, self.account) from error


def _pairs(client: poplib.POP3, command: str) -> Iterator[tuple[int, str]]:
    """Lines ``number text`` of LIST or UIDL; what is not one is skipped."""
    client._shortcmd(command)  # type: ignore[attr-defined]
    for _line in range(_MESSAGES):
        line = client._getline()[0]  # type: ignore[attr-defined]
        if line == b".":
            return
        number, _space, text = line.partition(b" ")
        if number.isdigit() and 0 < len(text) <= 255:
            yield int(number), text.split()[0].decode("ascii", "replace") if text.split() else ""
    raise poplib.error_proto("-ERR EOF: more lines than messages can be")


def _retrieve(client: poplib.POP3, number: int, limit: int) -> bytes:
    """Bytes of one message, dots unstuffed, line ends as they came. Raises ``error_proto``."""
    client._shortcmd(f"RETR {number}")  # type: ignore[attr-defined]
    pieces: list[bytes] = []
    total, fresh = 0, True
    while True:
        piece: bytes = client.file.readline(_CHUNK)
        if not piece:
            raise poplib.error_proto("-ERR EOF")
        if fresh and piece.startswith(b"."):
            if piece in (b".\r\n", b".\n"):
                return b"".join(pieces)
            piece = piece[1:]
        total += len(piece)
        if total > limit:
            raise poplib.error_proto("-ERR EOF: more bytes than were announced")
        pieces.append(piece)
        fresh = piece.endswith(b"\n")


def _gone(error: poplib.error_proto) -> bool:
    """Whether nothing more can be read: the connection ended, or lines came nobody asked for."""
    return "EOF" in _words(error) or "line too long" in _words(error)


def _words(error: poplib.error_proto) -> str:
    word = error.args[0] if error.args else ""
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
