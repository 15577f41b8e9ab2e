"""Collecting from IMAP4rev1 (RFC 3501, 9051), with IDLE (2177), MOVE (6851) and UIDPLUS (4315) where offered.

What was tried and must not be learned again: ``idle_check`` answers ``[]`` for ever when the server died, so waiting is
done on the socket and every end of it is followed by NOOP; the "EXISTS" that follows "+ idling" in the same packet sits
in imaplib's buffer, where no poll sees it; a message announced in the answer to another command, like MOVE, is not
announced again by IDLE; one line of imaplib ends at 1 MB, so nothing is asked that answers in one.
"""

from __future__ import annotations

import ast
import contextlib
import imaplib
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import LoginError
from imapclient.imap4 import IMAP4WithTimeout
from imapclient.tls import IMAP4_TLS

from colporteur.adapters.masking import masked
from colporteur.adapters.sources import CONNECT_SECONDS, READ_SECONDS, Fetched, Found, Listed, Listing, Trouble, Waiting, connecting
from colporteur.domain.mailboxes import Account, checked

WINDOW = 1000  # messages asked about in one FETCH
CHUNK = 200  # messages moved or deleted in one command
OVERHEAD = 16 * 1024 * 1024  # bytes any answer may have beyond the messages themselves
FOREIGN = (imaplib.IMAP4.error, OSError, EOFError, ValueError, LookupError, TypeError, AssertionError, RecursionError)
PASSING = ("UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN", "too many")  # RFC 5530 response codes


class _Bounded:
    """Counts what one command may read: a server that never stops talking must not fill our memory."""

    budget = OVERHEAD

    def _spend(self, size: int) -> None:
        self.budget -= size
        if self.budget < 0:
            raise imaplib.IMAP4.abort("more bytes than were announced")

    def read(self, size: int) -> bytes:
        self._spend(size)
        return super().read(size)  # type: ignore[misc, no-any-return]

    def readline(self) -> bytes:
        line: bytes = super().readline()  # type: ignore[misc]
        self._spend(len(line))
        return line


class _Plain(_Bounded, IMAP4WithTimeout):  # type: ignore[misc]
    pass


class _Tls(_Bounded, IMAP4_TLS):  # type: ignore[misc]
    pass


class _Client(IMAPClient):  # type: ignore[misc]
    """IMAPClient on connections that count."""

    def _create_IMAP4(self) -> imaplib.IMAP4:
        if self.ssl:
            return _Tls(self.host, self.port, self.ssl_context, CONNECT_SECONDS)
        return _Plain(self.host, self.port, CONNECT_SECONDS)


class Imap:
    """One IMAP account; ``adapters.sources.Source``. ``limit``: largest message in bytes."""

    def __init__(self, account: Account, limit: int) -> None:
        self.account, self.limit = checked(account), limit
        self.validity = 0
        self.expected = 0  # messages that should lie there, as far as we know
        self.idling = False
        try:
            self.client = self._connect()
        except FOREIGN as error:
            raise connecting.trouble(error, account, connecting=True) from error
        try:
            self._log_in()
            self._prepare_folders()
        except BaseException:
            self.close()
            raise

    # --- the shape ---

    def listing(self) -> Listing:
        with self._speaking():
            found = []
            exists = self._select()
            for first in range(1, exists + 1, WINDOW):
                found += self._window(first, min(first + WINDOW - 1, exists))
        return Listing(self.validity, tuple(found))

    def fetch(self, messages: Sequence[Listed]) -> Iterator[Fetched]:
        with self._speaking(sum(min(message.size, self.limit) + 4096 for message in messages)):
            rows = self.client.fetch([int(message.uid) for message in messages], ["BODY.PEEK[]"])
        for message in messages:
            if row := rows.pop(int(message.uid), None):
                body = row.get(b"BODY[]")
                yield Fetched(message.uid, body if isinstance(body, bytes) else None)

    def remove(self, uids: Sequence[str]) -> None:
        for start in range(0, len(uids), CHUNK):
            with self._speaking():
                self._remove([int(uid) for uid in uids[start : start + CHUNK]])
                self.expected -= len(uids[start : start + CHUNK])

    def finish(self) -> None:
        """Nothing to do: IMAP removes at once."""

    def idle(self) -> Waiting:
        with self._speaking():
            if not self.client.has_capability("IDLE"):
                return Waiting(False, None)
            if self._announced() > self.expected:
                return Waiting(True, None)
            self.client.idle()
            self.idling = True
            if not self._pending():
                return Waiting(False, self.client.socket())
        self.idle_over()
        return Waiting(True, None)

    def idle_over(self) -> None:
        with self._speaking():
            self.client.idle_done()
            self.idling = False
            self.client.noop()

    def found(self) -> Found:
        with self._speaking():
            folders = tuple(sorted(str(name) for _flags, _delimiter, name in self.client.list_folders()))
            return Found(self._select(), folders, self.client.has_capability("IDLE"), self.client.has_capability("MOVE"))

    def interrupt(self) -> None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.client.socket(), socket.SHUT_RDWR)  # not the TLS goodbye: another thread reads

    def close(self) -> None:
        with contextlib.suppress(*FOREIGN):
            self.client.socket().settimeout(2)
            if not self.idling:
                self.client.logout()
        with contextlib.suppress(*FOREIGN):
            self.client.shutdown()

    # --- how ---

    def _connect(self) -> Any:
        account = self.account
        context = connecting.tls_context(account)
        timeout = SocketTimeout(CONNECT_SECONDS, READ_SECONDS)
        connecting.check_place(account)
        client = _Client(account.host, account.port, ssl=account.tls == "ssl", ssl_context=context, timeout=timeout)
        client._imap.debug = 0  # IMAPClient would format every line, passwords included, for a log nobody reads
        try:
            connecting.check_peer(account, client.socket())
        except Trouble:
            client.shutdown()
            raise
        if account.tls == "starttls":
            if not client.has_capability("STARTTLS"):
                client.shutdown()
                raise Trouble(connecting.NO_STARTTLS, lasting=True, host=account.host, port=account.port)
            client.starttls(context)
        return client

    def _log_in(self) -> None:
        account, client = self.account, self.client
        names: dict[str, Any] = {"host": account.host, "user": account.user}
        with self._speaking():
            if client.has_capability("LOGINDISABLED"):
                raise Trouble(connecting.TLS_ONLY, lasting=True, host=account.host, port=account.port)
            try:
                if client.has_capability("AUTH=PLAIN"):
                    client.plain_login(account.user, account.password)
                else:
                    client.login(_quoted(account.user), account.password)
            except (LoginError, UnicodeEncodeError) as error:
                passing = any(word in str(error) for word in PASSING)
                raise Trouble(connecting.BUSY if passing else connecting.PASSWORD, lasting=not passing, detail=masked(_words(error), account.user, account.password), **names) from None  # it may repeat the password

    def _prepare_folders(self) -> None:
        """Open the folder, and make the one taken messages are moved to."""
        with self._speaking():
            try:
                self._select()
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                if isinstance(error, imaplib.IMAP4.readonly):
                    raise Trouble(connecting.READ_ONLY, lasting=True, folder=self.account.folder, user=self.account.user) from error
                names = ", ".join(str(name) for _flags, _delimiter, name in self.client.list_folders()[:20])
                raise Trouble(connecting.NO_FOLDER, lasting=True, detail=str(error), user=self.account.user, folder=self.account.folder, folders=names) from error
            self.move_to = self._target(self.account.move_to) if self.account.move_to else ""

    def _target(self, folder: str) -> str:
        """The folder's full name, made when it is missing: some servers keep everything below ``INBOX.``."""
        if self.client.folder_exists(folder):
            return folder
        prefix = ""
        if self.client.has_capability("NAMESPACE") and (personal := self.client.namespace().personal):
            prefix = str(personal[0][0] or "")
        if prefix and not folder.startswith(prefix):
            folder = prefix + folder
            if self.client.folder_exists(folder):
                return folder
        self.client.create_folder(folder)
        return folder

    def _select(self) -> int:
        """Open the folder afresh; number of messages. A server may repeat EXISTS: the last one counts."""
        answer = self.client.select_folder(self.account.folder)
        self.validity = int(answer.get(b"UIDVALIDITY", 0))
        self.expected = self._announced()
        return self.expected

    def _announced(self) -> int:
        return int(self.client._imap.untagged_responses.get("EXISTS", [b"0"])[-1])

    def _window(self, first: int, last: int) -> list[Listed]:
        self.client.use_uid = False  # by sequence number: the only way to ask for a part without knowing any UID
        try:
            rows = self.client.fetch(list(range(first, last + 1)), ["UID", "RFC822.SIZE"])
        finally:
            self.client.use_uid = True
        return [Listed(str(row[b"UID"]), int(row.get(b"RFC822.SIZE") or 0)) for row in rows.values() if b"UID" in row]

    def _remove(self, uids: list[int]) -> None:
        client = self.client
        try:
            if self.move_to and client.has_capability("MOVE"):
                client.move(uids, self.move_to)
                return
            if self.move_to:
                client.copy(uids, self.move_to)
            client.delete_messages(uids, silent=True)
            if client.has_capability("UIDPLUS"):
                client.uid_expunge(uids)
            elif set(client.search("DELETED")) <= set(uids):  # plain EXPUNGE takes whatever is marked, taken by us or not
                client.expunge()
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise Trouble(connecting.NOT_MOVED, usable=True, detail=str(error), folder=self.move_to or self.account.folder) from error

    def _pending(self) -> bool:
        """Whether bytes wait in imaplib's buffer, or in the TLS layer's."""
        sock = self.client.socket()
        sock.setblocking(False)
        try:
            return bool(self.client._imap.file.peek(1))
        except OSError:
            return False
        finally:
            sock.settimeout(READ_SECONDS)

    @contextlib.contextmanager
    def _speaking(self, announced: int = 0) -> Iterator[None]:
        self.client._imap.budget = announced + OVERHEAD
        try:
            yield
        except Trouble:
            raise
        except (imaplib.IMAP4.abort, OSError, EOFError) as error:
            raise connecting.trouble(error, self.account) from error
        except FOREIGN as error:
            raise Trouble(connecting.BROKEN, detail=str(error), host=self.account.host) from error


def _words(error: Exception) -> str:
    """What the server said; the libraries give its bytes in Python's own notation."""
    words = str(error)
    try:
        said = ast.literal_eval(words) if words.startswith(("b'", 'b"')) else words
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return words
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else words


def _quoted(text: str) -> str:
    """Quoted string (RFC 3501 section 4.3): imaplib quotes the password of LOGIN, but not the user."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
