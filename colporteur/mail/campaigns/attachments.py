"""Files that go with a newsletter: what they are by their bytes, and those nobody should send to many."""

from __future__ import annotations

import re

from colporteur.domain.words import Invalid
from colporteur.domain.words import gettext_noop as _
from colporteur.mail.text import line

_ZIPPED = (b"PK\x03\x04",)
_OLE = (b"\xd0\xcf\x11\xe0",)
_KINDS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    "pdf": ("application/pdf", (b"%PDF-",)), "png": ("image/png", (b"\x89PNG",)), "jpg": ("image/jpeg", (b"\xff\xd8\xff",)), "jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    "gif": ("image/gif", (b"GIF8",)), "webp": ("image/webp", (b"RIFF",)), "mp3": ("audio/mpeg", (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")), "ics": ("text/calendar", (b"BEGIN:VCALENDAR", b"\xef\xbb\xbfBEGIN:VCALENDAR")),
    "vcf": ("text/vcard", (b"BEGIN:VCARD", b"\xef\xbb\xbfBEGIN:VCARD")), "txt": ("text/plain", ()), "md": ("text/plain", ()), "csv": ("text/csv", ()), "gpx": ("application/gpx+xml", ()),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", _ZIPPED), "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _ZIPPED),
    "pptx": ("application/vnd.openxmlformats-officedocument.presentationml.presentation", _ZIPPED), "odt": ("application/vnd.oasis.opendocument.text", _ZIPPED),
    "ods": ("application/vnd.oasis.opendocument.spreadsheet", _ZIPPED), "odp": ("application/vnd.oasis.opendocument.presentation", _ZIPPED), "epub": ("application/epub+zip", _ZIPPED),
    "doc": ("application/msword", _OLE), "xls": ("application/vnd.ms-excel", _OLE), "ppt": ("application/vnd.ms-powerpoint", _OLE), "rtf": ("application/rtf", (b"{\\rtf",)),
    "mp4": ("video/mp4", ()), "zip": ("application/zip", _ZIPPED), "xml": ("application/xml", ()),
}  # fmt: skip
_RUNS = (b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa", b"dex\n", b"L\x00\x00\x00\x01\x14\x02\x00")
_MACROS = (b"vbaProject.bin", b"\x00V\x00B\x00A", b"V\x00B\x00A\x00_\x00P\x00R\x00O")
_MOST_NAME = 120


def name_of(name: str) -> str:
    """A file name fit for a header field and every file system: the last part of a path, one line."""
    words = re.sub(r'[<>:"|?*\\/]', "-", line(name.replace("\\", "/").rpartition("/")[2])).strip(" .-")
    stem, dot, ending = words.rpartition(".")
    return f"{stem[: _MOST_NAME - 10]}.{ending[:9]}" if dot and stem else words[:_MOST_NAME]


def kind_of(name: str, data: bytes) -> str:
    """Content type of an attachment by its name, borne out by its bytes. Raises ``Invalid``: not a kind that is taken, a
    program, or not what its name says."""
    ending = name.rpartition(".")[2].lower()
    if data.startswith(_RUNS) or (any(mark in data for mark in _MACROS) and ending in ("doc", "docx", "xls", "xlsx", "ppt", "pptx")):
        raise Invalid(_("%(name)s holds a program; nobody should receive one from a list"), name=name)
    if ending not in _KINDS or "." not in name:
        raise Invalid(_("files that end in .%(ending)s are not taken; these are: %(known)s"), ending=ending[:12] if "." in name else "", known=", ".join(_KINDS))
    content_type, marks = _KINDS[ending]
    if not data or (marks and not data[:1024].lstrip(b" \r\n").startswith(marks)) or (content_type.startswith("text/") and b"\x00" in data):
        raise Invalid(_("%(name)s is not what its name says"), name=name)
    return content_type
