"""Outbox: messages of folder transports, read in the browser. For administrators."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from colporteur.flow.transports import url_of
from colporteur.mail import parse
from colporteur.store.sealed import SealBroken
from colporteur.store.transports import Transport
from colporteur.web.guard import FOREIGN_POLICY, admin_only
from colporteur.web.reading import blocks

SHOWN = 50
SEARCHED = 2000
HEAD = 64 * 1024


class Kept(NamedTuple):
    """One message in a folder; names sort by time."""

    transport: int
    name: str
    subject: str
    to: str


def _folders() -> list[tuple[int, Path]]:
    found = []
    for transport in Transport.objects.filter(kind="folder").order_by("pk"):
        try:
            found.append((transport.pk, Path(unquote(urlsplit(url_of(transport)).path))))
        except SealBroken:
            continue
    return found


def _files(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir() if entry.suffix == ".eml"]
    except OSError:
        return []


@admin_only
def index(request: HttpRequest) -> HttpResponse:
    """The newest messages, searched by whom they are for; the search looks at the newest 2,000."""
    wanted, after = request.GET.get("q", "").strip().lower(), request.GET.get("after", "")
    every = sorted(((name, number, folder) for number, folder in _folders() for name in _files(folder)), reverse=True)
    total = len(every)
    if wanted:
        every = [one for one in every[:SEARCHED] if wanted.encode() in _envelope(one[2] / one[0])]
    if after:
        every = [one for one in every if one[0] < after]
    kept = [_kept(name, number, folder) for name, number, folder in every[:SHOWN]]
    return render(request, "demo/outbox.html", {"kept": kept, "q": wanted, "next": kept[-1].name if len(every) > SHOWN else "", "total": total})


def _envelope(path: Path) -> bytes:
    """The first line that says for whom it is, in lower case."""
    head = _read(path, 2048).lower()
    return next((line for line in head.splitlines() if line.startswith(b"delivered-to:")), b"")


def _kept(name: str, number: int, folder: Path) -> Kept:
    found = parse.skim(_read(folder / name, HEAD))
    return Kept(number, name, found.subject, ", ".join(found.fields.get("delivered-to", ())[:1] or [box.email for box in found.to]))


def _read(path: Path, most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError:
        raise Http404 from None


def _raw(number: int, name: str) -> bytes:
    """One message; the name must be one the folder lists, so that it never leads elsewhere."""
    folder = dict(_folders()).get(number)
    if folder is None or name not in _files(folder):
        raise Http404
    return _read(folder / name)


@admin_only
def one(request: HttpRequest, number: int, name: str) -> HttpResponse:
    """One message with its header fields."""
    raw = _raw(number, name)
    head, text = parse.skim(raw), parse.readable(raw)
    header = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "replace")
    context: dict[str, Any] = {
        "subject": head.subject, "author": head.authors[0] if head.authors else None, "to": head.to, "header": header, "blocks": blocks(text.text), "has_html": bool(text.html),
        "attachments": [], "place": reverse("outbox-message", args=[number, name]) + "/", "names": text.attachments,
    }  # fmt: skip
    return render(request, "demo/message.html", context)


@admin_only
def html(_request: HttpRequest, number: int, name: str) -> HttpResponse:
    """Its HTML, in an origin of its own."""
    found = parse.readable(_raw(number, name))
    page = f'<!doctype html><meta charset="utf-8"><base target="_blank"><body>{found.html}</body>'
    return HttpResponse(page, headers={"Content-Security-Policy": FOREIGN_POLICY + "; sandbox allow-popups", "X-Frame-Options": "SAMEORIGIN"})
