"""A message as a page shows it: its text in folds, why it was judged so, its attachments. Nothing of it is trusted."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _

from colporteur.flow.moderation import parts
from colporteur.mail import parse
from colporteur.mail.defects import DEFECTS
from colporteur.store.memberships import Membership
from colporteur.store.posts import Finding, Post
from colporteur.web.guard import FOREIGN_POLICY

LINES = 40  # what is past them folds, so that the decision stays near
QUOTED = 3  # quoted runs longer than this fold


class Block(NamedTuple):
    """A run of lines: ``text``, ``quote`` (short, shown), ``folded`` (quoted, closed) or ``rest`` (past 40 lines, closed)."""

    kind: str
    text: str
    lines: int


class Why(NamedTuple):
    """One finding as a person reads it."""

    icon: str
    sentence: str
    rule: str  # the rule it meets, "" when there is none


_ICON = {"accept": "good", "none": "note"}


def raw_of(post: Post) -> bytes:
    """The bytes as they arrived."""
    return bytes(post.arrival.blob.raw)


def why(post: Post) -> list[Why]:
    """The findings of the verdict, in the reader's language."""
    return [_why(finding) for finding in post.findings.all()]


def _why(finding: Finding) -> Why:
    seen, rule = parts(finding)
    return Why(_ICON.get(finding.action, "warning"), seen, f"{rule}." if rule else "")


def blocks(text: str) -> list[Block]:
    """Text in runs; long quotations and everything past 40 lines are folded."""
    runs: list[tuple[bool, list[str]]] = []
    for line in text.strip("\n").split("\n"):
        quoted = line.lstrip().startswith(">")
        if not runs or runs[-1][0] != quoted:
            runs.append((quoted, []))
        runs[-1][1].append(line)
    answer, shown = [], 0
    rest: list[str] = []
    for quoted, lines in runs:
        if rest or shown >= LINES:
            rest += lines
        elif quoted:
            answer.append(Block("folded" if len(lines) > QUOTED else "quote", "\n".join(line.lstrip().removeprefix(">").removeprefix(" ") for line in lines), len(lines)))
        else:
            head, rest = lines[: LINES - shown], lines[LINES - shown :]
            answer.append(Block("text", "\n".join(head).strip("\n"), len(head)))
            shown += len(head)
    if any(line.strip() for line in rest):
        answer.append(Block("rest", "\n".join(rest).strip("\n"), len(rest)))
    return [block for block in answer if block.text.strip()]


def reading(post: Post, place: str) -> dict[str, Any]:
    """What ``look/message.html`` needs. ``place``: address of the page below which the parts are fetched, with its slash."""
    found = parse.readable(raw_of(post))
    return {
        "post": post, "list": post.list, "findings": why(post), "blocks": blocks(found.text), "has_html": bool(found.html),
        "attachments": list(enumerate(found.attachments)), "place": place, "defects": [_(DEFECTS[code]) if code in DEFECTS else code for code in post.defects],
        "first_name": (post.sender_name or post.sender.partition("@")[0]).split(" ")[0] if post.sender_name or post.sender else "",
    }  # fmt: skip


def author_of(post: Post) -> Membership | None:
    """The author as a member of the list: what is noted about somebody is for those who decide only."""
    return Membership.objects.filter(list=post.list_id, email=post.sender, until__isnull=True).first() if post.sender else None


def html_of(post: Post) -> HttpResponse:
    """The sanitised HTML of a message, in an origin of its own: no script, nothing loaded from elsewhere."""
    found = parse.readable(raw_of(post))
    if not found.html:
        raise Http404
    page = f'<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><base target="_blank"><body>{found.html}</body>'
    return HttpResponse(page, headers={"Content-Security-Policy": FOREIGN_POLICY + "; sandbox allow-popups", "X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "no-referrer"})


def attachment_of(post: Post, index: int) -> HttpResponse:
    """One attachment, inert: saved, never opened by the browser."""
    found = parse.attachment(raw_of(post), index)
    if found is None:
        raise Http404
    about, content = found
    return download(content, about.name or "attachment")


def download(content: bytes, name: str) -> HttpResponse:
    """Bytes to save under a name (RFC 6266)."""
    plain = "".join(sign if sign.isascii() and sign.isprintable() and sign not in '"\\/%' else "_" for sign in name)[:100] or "attachment"
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name[:200].encode('utf-8', 'replace'), safe='')}"
    return HttpResponse(content, content_type="application/octet-stream", headers={"Content-Disposition": disposition, "Content-Security-Policy": FOREIGN_POLICY})
