"""DKIM signatures of copies (RFC 6376, RFC 8463): canonical parts prepared once, per copy only what differs is hashed and signed.

relaxed/relaxed, no ``l=``. A field that is there is signed in every instance and once more, so that none can be added
behind our back; the fields that decide who wrote what to whom are sealed like that even when they are missing.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from colporteur.mail.splice import Prepared

PrivateKey = RSAPrivateKey | Ed25519PrivateKey
LIFE = 10 * 86400
"""Seconds a signature holds (``x=``): longer than any relay keeps a message in its queue."""

_FRESH = 3600  # seconds for which a message that is the same for everybody keeps its signature
_SEALED = tuple(b"from to cc subject reply-to".split())
_SIGNED = tuple(
    b"sender date message-id in-reply-to references author mime-version content-type content-transfer-encoding content-language content-disposition auto-submitted "
    b"list-id list-post list-help list-owner list-archive list-subscribe list-unsubscribe list-unsubscribe-post archived-at".split()
)
_FIELD_END = re.compile(rb"\r\n(?![ \t])")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_NAME = re.compile(rb"([!-9;-~]+):")
_SPACES = re.compile(rb"[ \t]{2,}|\t")
_SLOT = re.compile(rb"\x00(\d+)\x00")
_SHA256, _PADDING = Prehashed(SHA256()), PKCS1v15()

_Pieces = list[bytes | int]  # literals, and numbers of values among the parts of a copy


class Unsignable(Exception):
    """The header cannot be signed: it has no From, or lines that are no fields, which servers on the way mend."""


class Spliced(Protocol):
    """A message prepared for many: ``literals`` are the same in every copy, between each two stands a value."""

    individual: bool

    @property
    def literals(self) -> list[bytes]: ...


class Key(NamedTuple):
    """A private key, and the name its public half is published under: ``selector._domainkey.domain``."""

    domain: str  # ASCII
    selector: str
    private: PrivateKey


def relaxed_field(field: bytes) -> bytes:
    """A header field in CRLF lines as RFC 6376 section 3.4.2 hashes it, with its CRLF."""
    name, _, value = field.partition(b":")
    return name.lower() + b":" + _SPACES.sub(b" ", _FOLD.sub(b"", value)).strip(b" \t\r\n") + b"\r\n"


def relaxed_lines(lines: bytes) -> bytes:
    """Whole lines of a body as section 3.4.4 hashes them, empty lines at the end still there. Linear."""
    return _SPACES.sub(b" ", lines).replace(b" \r\n", b"\r\n")


def _ended(body: bytes) -> bytes:
    """``relaxed_lines`` of a body without the empty lines at its end; b"" when nothing else is in it."""
    text = body.rstrip(b"\r\n")  # these stand only together: bodies are canonical
    return text + b"\r\n" if text else b""


class Signer:
    """Signs the copies of one prepared message with one or more keys, whichever thread asks. Raises ``Unsignable``."""

    def __init__(self, prepared: Spliced, keys: Sequence[Key]) -> None:
        self._prepared, self._keys = prepared, [key.private for key in keys]
        header, self._body = _parted(prepared.literals)
        names, fixed, self._fields = _chosen(_fields(header))
        self._header_hash = hashlib.sha256(fixed)
        self._heads = [_head(key, names) for key in keys]
        first, *rest = _runs(self._body)
        assert isinstance(first, bytes)
        self._rest = [relaxed_lines(run) if isinstance(run, bytes) else run for run in rest]
        if self._rest and isinstance(self._rest[-1], bytes):
            self._rest[-1] = _ended(self._rest[-1])
        self._body_hash = hashlib.sha256(relaxed_lines(first) if rest else _ended(relaxed_lines(first)))
        self._made = (0, b"")

    def sign(self, email: str, name: str, token: str, at: int) -> bytes:
        """DKIM-Signature fields for this recipient's copy, one a key, to stand before it. ``at``: now, Unix seconds."""
        if isinstance(self._prepared, Prepared) and self._prepared.individual:
            return self.sign_parts(self._prepared.parts_for(email, name, token), at)
        when, made = self._made
        if not (made and 0 <= at - when < _FRESH):
            made = self.sign_parts(self._prepared.literals, at)
            self._made = (at, made)
        return made

    def sign_parts(self, parts: list[bytes], at: int) -> bytes:
        """The same for a copy in its parts: literal, value, literal, value ... literal."""
        body = b64encode(self._body_digest(parts))
        hashed = self._header_hash.copy()
        for field in self._fields:
            hashed.update(relaxed_field(_filled(field, parts)))
        out = []
        for private, (head, canonical) in zip(self._keys, self._heads, strict=True):
            own = hashed.copy()
            own.update(b"%b t=%d; x=%d; bh=%b; b=" % (canonical, at, at + LIFE, body))
            digest = own.digest()
            signature = private.sign(digest) if isinstance(private, Ed25519PrivateKey) else private.sign(digest, _PADDING, _SHA256)
            lines = b64encode(signature)
            folded = b"\r\n ".join([lines[start : start + 74] for start in range(0, len(lines), 74)])
            out.append(b"%b\r\n t=%d; x=%d;\r\n bh=%b;\r\n b=%b\r\n" % (head, at, at + LIFE, body, folded))
        return b"".join(out)

    def _body_digest(self, parts: list[bytes]) -> bytes:
        if not self._rest:
            return self._body_hash.digest()
        lines = b"".join([run if isinstance(run, bytes) else relaxed_lines(_filled(run, parts)) for run in self._rest])
        if lines := _ended(lines):
            hashed = self._body_hash.copy()
            hashed.update(lines)
            return hashed.digest()
        return hashlib.sha256(_ended(relaxed_lines(_filled(self._body, parts)))).digest()  # values of nothing but space end the body: the lines before them may be empty too


def _filled(pieces: _Pieces, parts: list[bytes]) -> bytes:
    return b"".join([parts[piece] if isinstance(piece, int) else piece for piece in pieces])


def _parted(literals: list[bytes]) -> tuple[_Pieces, _Pieces]:
    """Header, its last CRLF included, and body. No value holds the empty line between them."""
    header: _Pieces = []
    for number, literal in enumerate(literals):
        header += [2 * number - 1] if number else []
        end = literal.find(b"\r\n\r\n")
        if end >= 0:
            later = [piece for other in range(number + 1, len(literals)) for piece in (2 * other - 1, literals[other])]
            return [*header, literal[: end + 2]], [literal[end + 4 :], *later]
        header.append(literal)
    return header, [b""]


def _fields(header: _Pieces) -> list[_Pieces]:
    """The header cut at its fields. Where values stand, all fields are of our own writing, without control characters."""
    if len(header) == 1:
        return [[field + b"\r\n"] for field in _FIELD_END.split(_filled(header, []))[:-1]]
    marked = b"".join(b"\0%d\0" % piece if isinstance(piece, int) else piece for piece in header)
    fields = [_SLOT.split(field + b"\r\n") for field in _FIELD_END.split(marked)[:-1]]
    return [[int(piece) if number % 2 else piece for number, piece in enumerate(field)] for field in fields]


def _chosen(fields: list[_Pieces]) -> tuple[list[bytes], bytes, list[_Pieces]]:
    """Names for ``h=``, canonical fields without values, and the fields with values. Of several alike the last comes first
    (RFC 6376 section 5.4.2); a name once more than its fields are stands for none to come."""
    found: dict[bytes, list[_Pieces]] = {}
    for field in fields:
        name = _NAME.match(_filled(field[:1], []))
        if not name:
            raise Unsignable("a line of the header is no field")
        found.setdefault(name[1].lower(), []).insert(0, field)
    if b"from" not in found:
        raise Unsignable("there is no From")
    wanted = [(name, found.get(name, [])) for name in (*_SEALED, *(name for name in _SIGNED if name in found))]
    wanted.sort(key=lambda one: any(len(field) > 1 for field in one[1]))  # those with values last
    names = [name for name, alike in wanted for _ in range(len(alike) + 1)]
    alone = [field for _, alike in wanted for field in alike]
    mixed = next((number for number, field in enumerate(alone) if len(field) > 1), len(alone))
    return names, b"".join(relaxed_field(_filled(field, [])) for field in alone[:mixed]), alone[mixed:]


def _runs(body: _Pieces) -> list[bytes | _Pieces]:
    """The body as whole lines that are the same in every copy, and lines with values, in turn; the former first and last."""
    runs: list[bytes | _Pieces] = []
    line: _Pieces = []
    for piece in body:
        if isinstance(piece, int):
            line.append(piece)
            continue
        start = 0
        if line:
            end = piece.find(b"\r\n")
            if end < 0:
                line.append(piece)
                continue
            start = end + 2
            runs.append([*line, piece[:start]])
        last = max(piece.rfind(b"\r\n") + 2, start) if b"\r\n" in piece else start
        runs.append(piece[start:last])
        line = [piece[last:]]
    return runs


def _head(key: Key, names: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The field up to ``h=``, as it is sent and as it is hashed."""
    algorithm = b"ed25519" if isinstance(key.private, Ed25519PrivateKey) else b"rsa"
    lines, line = [], b" h="
    for number, name in enumerate(names):
        word = name + (b":" if number < len(names) - 1 else b";")
        if len(line) + len(word) > 76:
            lines.append(line)
            line = b" "
        line += word
    head = b"DKIM-Signature: v=1; a=%b-sha256; c=relaxed/relaxed;\r\n d=%b;\r\n s=%b;\r\n" % (algorithm, key.domain.encode("ascii"), key.selector.encode("ascii"))
    head += b"\r\n".join([*lines, line])
    return head, relaxed_field(head)[:-2]
