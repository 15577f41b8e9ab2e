"""The header of a list's copy: what stays, what goes, what the list says of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from colporteur.mail import addresses, parameters, text
from colporteur.mail.headers import TRACE_FIELD, Field, content_key, field, mailbox, phrase, unfolded, unstructured
from colporteur.mail.parse import Skim
from colporteur.mail.structure import Structure
from colporteur.mail.subjects import prefixed

if TYPE_CHECKING:
    from colporteur.mail.render import Rewriting

# Of another list, of another delivery, or asking every member for a receipt.
_DROPPED = frozenset(
    b"precedence return-path delivered-to x-original-to envelope-to x-envelope-to x-envelope-from x-delivered-to bcc resent-bcc errors-to "
    b"disposition-notification-to disposition-notification-options return-receipt-to x-confirm-reading-to approved x-approved approve x-approve "
    b"content-length lines status x-status x-keywords x-uid x-uidl x-mozilla-status x-mozilla-status2 x-mozilla-keys mime-version".split()
)
_DROPPED_STARTS = (b"list-", b"x-colporteur-", b"content-")
_ONCE = frozenset(b"from sender subject date message-id in-reply-to references reply-to author".split())
_PEOPLE = frozenset(b"from to cc reply-to sender author mail-followup-to resent-from resent-to resent-cc".split())
_AS_THEY_ARE = frozenset(b"message-id in-reply-to references received date".split())
_MOST_AUTHORS = 5  # of a From with several, who get the replies
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def kept(data: bytes, item: Field) -> bytes:
    """A foreign field made fit for SMTP: as it is when it is ASCII in lines under 990 octets without control characters;
    else folded anew, 8-bit text in encoded words."""
    raw = data[item.start : item.stop]
    fine = raw.isascii() and not _CONTROL.search(raw) and data[item.value - 2 : item.value - 1] not in b" \t" and (len(raw) < 990 or max(map(len, raw.split(b"\r\n"))) < 990)
    if fine:
        return raw + b"\r\n"
    name = data[item.start : item.value - 1].rstrip().decode("ascii")
    value = _CONTROL.sub(b"", unfolded(data, item))
    if value.isascii():
        return field(name, value.decode("ascii"))
    if item.name in _PEOPLE:
        return _people(name, value)
    if item.name in (b"content-type", b"content-disposition"):
        read = parameters.read(value)
        return field(name, parameters.write(read.word, read.parameters))
    if item.name in _AS_THEY_ARE:
        return field(name, text.line(text.decode(value)[0]))
    return field(name, unstructured(text.header(value)))


def _people(name: str, value: bytes) -> bytes:
    """An address field with raw 8-bit names, the names encoded; addresses beyond ASCII stay (they need SMTPUTF8)."""
    boxes, _ = addresses.parse(text.decode(value)[0])
    if not boxes:
        return field(name, unstructured(text.header(value)))
    return field(name, ", ".join(mailbox(box.name, box.email) if box.email else phrase(box.name) + ":;" for box in boxes))


def message_fields(found: Structure, skim: Skim, rewriting: Rewriting) -> tuple[bytes, bool]:
    """All fields but MIME's and the list's own, and whether they need SMTPUTF8."""
    data = found.data
    out: list[bytes] = []
    seen: set[bytes] = set()
    from_list = rewriting.from_list or not any(item.name == b"from" for item in found.root.fields)
    answer = _answer(skim, rewriting, from_list)
    if b"from" not in {item.name for item in found.root.fields}:
        out.append(_from_list(skim, rewriting))
    for item in found.root.fields:
        if item.name in _DROPPED or item.name.startswith(_DROPPED_STARTS) or (item.name in _ONCE and item.name in seen):
            continue
        if (item.name == b"archived-at" and rewriting.archived_at) or (item.name == b"reply-to" and answer):
            continue
        seen.add(item.name)
        if item.name == b"from" and from_list:
            # RFC 9057: who wrote it stays readable.
            out += [_from_list(skim, rewriting), *([] if b"author" in seen else [_author(data, item)])]
            seen.add(b"author")
        elif item.name in (b"sender", b"author") and from_list:
            continue
        elif item.name == b"subject":
            out.append(prefixed(unfolded(data, item), rewriting.prefix) if rewriting.prefix else kept(data, item))
        else:
            out.append(kept(data, item))
    if b"subject" not in seen and rewriting.prefix:
        out.append(prefixed(b"", rewriting.prefix))
    if b"message-id" not in seen and "@" in rewriting.list_address:
        out.append(field("Message-ID", f"<{content_key(data).hex()[:32]}@{rewriting.list_address.rpartition('@')[2]}>"))
    if answer:
        out.append(field("Reply-To", ", ".join(answer)))
    if copied := _author_in_cc(skim, rewriting, from_list, answer):
        out = _with_cc(out, copied)
    head = b"".join(out)
    return head, any(not line.isascii() for line in out if line.partition(b":")[0].lower() in _PEOPLE)


def _author(data: bytes, item: Field) -> bytes:
    line = kept(data, item)
    return b"Author:" + line.partition(b":")[2]


def _from_list(skim: Skim, rewriting: Rewriting) -> bytes:
    title = rewriting.list_title or rewriting.list_address
    author = skim.sender
    name = (author.name or author.email.partition("@")[0]) if author else ""
    return field("From", mailbox(f"{name} via {title}" if name else title, rewriting.list_address))


def _answer(skim: Skim, rewriting: Rewriting, from_list: bool) -> list[str]:
    """Addresses of our Reply-To; [] keeps the author's own."""
    if rewriting.reply_to:
        return [mailbox("", address) for address in rewriting.reply_to]
    if from_list and not skim.reply_to:
        return [mailbox(author.name, author.email) for author in ([skim.sender] if skim.sender else skim.authors[:_MOST_AUTHORS]) if author.email]
    return []


def _author_in_cc(skim: Skim, rewriting: Rewriting, from_list: bool, answer: list[str]) -> str:
    """The author for Cc, when From is the list, replies go elsewhere, and nothing else would reach the author."""
    if not (from_list and skim.sender and rewriting.reply_to and answer):
        return ""
    reached = {address.lower() for address in rewriting.reply_to} | {box.email for box in (*skim.to, *skim.cc)}
    return "" if skim.sender.email in reached else mailbox(skim.sender.name, skim.sender.email)


def _with_cc(out: list[bytes], copied: str) -> list[bytes]:
    for number, line in enumerate(out):
        if line[:3].lower() == b"cc:" and len(line) < 100_000:
            held = line[3:].replace(b"\r\n", b"").strip().decode("utf-8", "replace").rstrip(",")
            return [*out[:number], field("Cc", f"{held}, {copied}" if held else copied), *out[number + 1 :]]
    return [*out, field("Cc", copied)]


def mime_fields(found: Structure, changes: dict[str, str]) -> list[bytes]:
    """MIME-Version and the Content-* fields, some of them set anew. Of a field that may occur once the first counts, as in
    what was judged."""
    wanted = {name.lower().encode(): (name, value) for name, value in changes.items()}
    out, seen = [b"MIME-Version: 1.0\r\n"], set(wanted)
    held = [item for item in found.root.fields if item.name.startswith(b"content-") and item.name != b"content-length"]
    if not held and not wanted and not any(item.name == b"mime-version" for item in found.root.fields):
        out = []
    for item in held:
        if item.name not in seen:
            out.append(kept(found.data, item))
            seen.add(item.name)
    return out + [field(name, value) for name, value in wanted.values()]


def utf8_addresses(found: Structure) -> bool:
    """Whether an address itself is beyond ASCII, which only SMTPUTF8 carries. Raw 8-bit names alone pass everywhere in practice."""
    raw = (unfolded(found.data, item) for item in found.root.fields if item.name in _PEOPLE)
    return any(not box.email.isascii() for value in raw if not value.isascii() for box in addresses.parse(text.decode(value)[0])[0])


def _fixed(value: str) -> str:
    """A value of the list's, in which nothing is a slot."""
    return value.replace("{token}", "")


def _uri(address: str) -> str:
    """A bare address as mailto: URI; URIs pass. Nothing in it can end the field."""
    address = re.sub(r"[\s<>,\x00-\x1f\x7f]+", "", address)
    return address if re.match(r"[a-z]+:", address) else f"mailto:{address}"


def mailto(address: str) -> str:
    """The mailto: URI of a bare address."""
    return _uri(address)


def list_fields(rewriting: Rewriting) -> bytes:
    """RFC 2369 and its relatives, ``{token}`` still in place."""
    out = []
    if rewriting.list_id:
        identity, title = re.sub(r"[\s<>\x00-\x1f\x7f]+", "", _fixed(rewriting.list_id)), _fixed(rewriting.list_title)
        out.append(field("List-Id", f"{phrase(title)} <{identity}>" if title.strip() else f"<{identity}>"))
    if rewriting.post:
        out.append(field("List-Post", "NO" if rewriting.post == "NO" else f"<{_uri(_fixed(rewriting.post))}>"))
    for name, address in (("List-Help", rewriting.help), ("List-Owner", rewriting.owner)):
        if address:
            out.append(field(name, f"<{_uri(_fixed(address))}>"))
    ways = [f"<{_uri(way)}>" for way in (rewriting.unsubscribe_mailto, rewriting.unsubscribe_url) if way]
    if ways:
        out.append(field("List-Unsubscribe", ", ".join(ways)))
    if rewriting.one_click and rewriting.unsubscribe_url.startswith("https:"):
        out.append(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
    if rewriting.archived_at:
        out.append(field("Archived-At", f"<{_uri(_fixed(rewriting.archived_at))}>"))
    out.append(b"Precedence: list\r\n")
    if rewriting.trace:
        out.append(f"{TRACE_FIELD}: {{token}}\r\n".encode("ascii"))
    return b"".join(out)
