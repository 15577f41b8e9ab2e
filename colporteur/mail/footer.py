"""A list's footer put into the text and HTML of a message, so that every byte around it stays.

What is signed or encrypted is left alone. Where a part cannot hold the footer (its charset, its encoding), the whole
message becomes the first part of a multipart/mixed and the footer the second. Slots inside encoded parts are written
per recipient so that they decode right for any value.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from colporteur.mail import parse, text
from colporteur.mail.structure import Part, Structure

_NAMES = re.compile(r"\{(list|address|email|name|unsubscribe|read)\}")
_LINK = re.compile(r"https?://[^\s<>\"')\]]+[^\s<>\"')\].,;:!?]")
_LONG = re.compile(r"([^\n\r]{60}[^ \n\r]{0,300}) ")
_BOX = '<div style="margin-top:1em;padding-top:.5em;border-top:1px solid #ccc;font-size:small">'


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of a footer: text, or a slot (``email``, ``name``, ``token``) when ``slot`` is set. ``link`` opens or closes one."""

    text: str = ""
    slot: str = ""
    link: str = ""  # "unsubscribe" or "read": these items together are an address to click


def items(template: str, values: dict[str, str], unsubscribe: str, *, read: str = "", personal: bool = True) -> list[Item]:
    """A footer's text cut at its slots. ``unsubscribe`` and ``read`` are addresses with ``{token}``; a line that asks for one where
    there is none is left out, and so is one that names the reader unless copies are ``personal``. Values are never read as template."""
    lines = re.sub(r"\r\n?", "\n", text.clean(template)).strip("\n").split("\n")
    missing = [*([] if unsubscribe else ["{unsubscribe}"]), *([] if read else ["{read}"]), *([] if personal else ["{email}", "{name}"])]
    kept = "\n".join(line if line == "-- " else line.rstrip() for line in lines if not any(word in line for word in missing))
    found: list[Item] = []
    position = 0
    for match in _NAMES.finditer(kept):
        found.append(Item(kept[position : match.start()]))
        if match[1] in ("email", "name"):
            found.append(Item(slot=match[1]))
        elif match[1] in ("unsubscribe", "read"):
            for number, piece in enumerate((read if match[1] == "read" else unsubscribe).split("{token}")):
                found += [Item(slot="token", link=match[1])] * (number > 0) + [Item(piece, link=match[1])]
        else:
            found.append(Item(text.line(values[match[1]])))
        position = match.end()
    found.append(Item(kept[position:]))
    return joined(found)


def joined(found: list[Item]) -> list[Item]:
    """Without empty items, neighbouring texts of one kind put together."""
    out: list[Item] = []
    for item in found:
        if item.text and out and not out[-1].slot and out[-1].link == item.link:
            out[-1] = Item(out[-1].text + item.text, link=item.link)
        elif item.text or item.slot:
            out.append(item)
    return out


def escaped(words: str) -> str:
    """Text for HTML in any charset: special characters and everything beyond ASCII as references."""
    return html.escape(words).encode("ascii", "xmlcharrefreplace").decode("ascii")


def as_html(footer: list[Item]) -> list[Item]:
    """The footer as one HTML block in ASCII, so that any charset holds it; slots are escaped when written."""
    out = [Item(_BOX)]
    number = 0
    while number < len(footer):
        run = [footer[number]]
        if footer[number].link:
            while number + len(run) < len(footer) and footer[number + len(run)].link:
                run.append(footer[number + len(run)])
            shown = [Item(escaped(item.text), item.slot) for item in run]
            out += [Item('<a href="'), *shown, Item('">'), *shown, Item("</a>")]
        elif run[0].slot:
            out += [Item("<span\n>"), run[0], Item("</span\n>")]  # line ends inside tags keep lines short and are no space
        else:
            out.append(Item(_linked(_LONG.sub(r"\1\n", run[0].text.replace("\n", "\r"))).replace("\r", "<br>\n")))
        number += len(run)
    return joined([*out, Item("</div>")])


def _linked(words: str) -> str:
    out, position = "", 0
    for match in _LINK.finditer(words):
        out += escaped(words[position : match.start()]) + f'<a href="{escaped(match[0])}">{escaped(match[0])}</a>'
        position = match.end()
    return out + escaped(words[position:])


def targets(found: Structure) -> list[Part] | None:
    """The text and HTML parts that take the footer; [] when there is no text; None where nothing may be touched."""
    return _targets(found, found.root)


def _targets(found: Structure, part: Part) -> list[Part] | None:
    kind = part.content_type
    if kind in ("multipart/signed", "multipart/encrypted") or kind.startswith(("application/pkcs7", "application/x-pkcs7", "application/pgp")):
        return None
    if not part.children:
        if kind.startswith("multipart/"):
            return None  # we cannot tell its parts apart
        if kind not in ("text/plain", "text/html") or part.disposition.word == "attachment":
            return []
        return None if parse.pgp(found, part) else [part]
    if part.encoding in ("base64", "quoted-printable"):
        return None
    chosen: list[Part] = []
    for child in part.children:
        if child.name and not child.children:
            continue
        inside = _targets(found, child)
        if inside is None:
            return None
        chosen += inside
        if inside and kind != "multipart/alternative":
            break
    return chosen
