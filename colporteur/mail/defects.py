"""What can be wrong with a message: one code and one sentence each. A message with a defect is never refused for it here."""

from __future__ import annotations

from colporteur.domain.words import gettext_noop as _

DEFECTS: dict[str, str] = {
    "no-from": _("There is no sender (From field)."),
    "several-from": _("There is more than one From field."),
    "from-unreadable": _("The sender's address cannot be read."),
    "from-several": _("The message names several senders."),
    "from-group": _("The sender is written as a group of addresses."),
    "from-name": _("The sender's name contains another address."),
    "from-control": _("The sender contains control characters."),
    "no-headers": _("The message has no header."),
    "headers-too-long": _("The header is longer than 256 KB or has more than 1,000 fields; the rest was left out."),
    "too-many-addresses": _("There are more than 2,000 addresses; the rest was left out."),
    "eight-bit-header": _("The header contains characters that are not encoded."),
    "control-characters": _("The header contains control characters."),
    "repeated-field": _("A field that may occur once occurs several times."),
    "content-type-unreadable": _("The type of a part cannot be read."),
    "repeated-content-type": _("A part says more than once what it is."),
    "repeated-parameter": _("A part says more than once where it ends."),
    "boundary-missing": _("The parts of the message cannot be told apart."),
    "boundary-repeated": _("A part inside another one uses the same border."),
    "part-unclosed": _("A part does not say where it ends."),
    "too-deep": _("Parts are nested more than 20 deep."),
    "too-many-parts": _("There are more than 1,000 parts."),
    "encoding-unknown": _("A part is encoded in a way nobody knows."),
    "encoded-multipart": _("A container of parts claims to be encoded."),
    "charset-unknown": _("The character set of a part is unknown."),
}

# Two programs may read such a message differently: what a moderator or a filter saw need not be what members see.
AMBIGUOUS = frozenset(
    "several-from from-control repeated-content-type repeated-parameter boundary-missing boundary-repeated too-deep too-many-parts encoded-multipart headers-too-long".split()
)
