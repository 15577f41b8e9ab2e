"""The letters before a subject, never stacked on replies, whatever the reply is called in the writer's language."""

from __future__ import annotations

import re

from colporteur.mail import text
from colporteur.mail.headers import encoded_words, field, unstructured

# Re: RE: Re[2]: Re^3: AW: Antw.: SV: VS: Rép : RÉF: TR: Fwd: WG: RV: 回复： ... any short word before a colon, and any tag in
# square brackets: what stands before the prefix matters only when the prefix is there.
_LEAD = re.compile(r"\s*+(?:[^\W\d_]{1,12}+\.?(?:\[\d{1,4}\]|\(\d{1,4}\)|\^\d{1,4}|\*\d{1,4})?\s*+[:\uff1a]|\[[^\[\]]{1,60}\])")


def prefixed(value: bytes, prefix: str) -> bytes:
    """The whole Subject field, folded, with ``prefix`` before the subject unless a run of reply marks already leads to it.

    ``value`` is the original value, unfolded, as received. What needs no change keeps its bytes: encoded words in charsets
    we do not know stay right. Idempotent.
    """
    prefix = text.line(prefix)
    subject = text.header(value[:30_000])
    safe = value.isascii() and text.decode(value)[0].isprintable() and max(map(len, value.split()), default=0) < 900
    if not prefix:
        return field("Subject", value.decode("ascii") if safe else unstructured(subject))
    kept, times = _without_repeats(subject, prefix)
    if times == 1 and safe:
        return field("Subject", value.decode("ascii"))
    if times:
        return field("Subject", unstructured(kept))
    if not subject:
        return field("Subject", unstructured(prefix))
    if not safe:
        return field("Subject", unstructured(f"{prefix} {subject}"))
    if prefix.isascii() and "=?" not in prefix:
        return field("Subject", f"{prefix} {value.decode('ascii')}")
    # White space between two encoded words vanishes: the space belongs into the first one.
    space = " " if value.startswith(b"=?") else ""
    return field("Subject", f"{encoded_words(prefix + space)} {value.decode('ascii')}")


def _without_repeats(subject: str, prefix: str) -> tuple[str, int]:
    """The subject with the prefix once in its leading run of marks, and how often it stood there."""
    wanted = re.compile(r"\s*+" + r"\s*+".join(re.escape(word) for word in prefix.split()), re.IGNORECASE)
    position, times, out = 0, 0, []
    while match := wanted.match(subject, position) or _LEAD.match(subject, position):
        found = wanted.match(subject, position)
        if found is None or times == 0:
            out.append(subject[position : match.end()])
        times += found is not None
        position = match.end()
    return text.line("".join(out) + subject[position:]), times
