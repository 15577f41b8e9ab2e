"""How a SPIP site sent: its services become transports that are switched off, with their secrets sealed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from django.db import transaction

from colporteur.domain.pacing import Rate
from colporteur.flow import limits, transports
from colporteur.flow.imports import places
from colporteur.flow.imports.account import Report
from colporteur.flow.imports.places import Site
from colporteur.store.transports import Transport

_TLS = {"ssl": "ssl", "tls": "starttls"}
_DAY = 86_400


def take(site: Site, settings: Mapping[str, Any], report: Report) -> None:
    """Every service whose account is written there, each once. What cannot be a transport is noted."""
    known = places.ours(site, "transport")
    for kind, url in _urls(settings):
        if kind in known:
            continue
        try:
            with transaction.atomic():
                made = _add(site, kind, url)
        except ValueError as error:
            report.notes.append(f"the settings of {kind} cannot be a transport: {error}")
            continue
        places.remember(site, "transport", kind, made.pk)
        report.transports += 1
        report.notes.append(f"the transport {made.name!r} has the account of {kind} and is switched off: test it, then switch it on")
        if (rate := _number(settings.get("rate_limit"))) > 0:
            limits.change(limits.of_transport(made), [Rate(rate, _DAY)], site.now, site.by)
    if settings and str(settings.get("mailer") or "defaut") == "defaut":
        report.notes.append("newsletters left by the site's own mail() function: they need a transport here")


def _add(site: Site, kind: str, url: str) -> Transport:
    base = f"SPIP {kind} {site.domain.name}"[:55]
    taken = set(Transport.objects.filter(name__startswith=base).values_list("name", flat=True))
    name = next(name for name in (base, *(f"{base} {number}" for number in range(2, 1000))) if name not in taken)
    made = transports.add(name, url, site.now, site.domain.organisation, by=site.by)
    # Never the way out of anybody until somebody says so.
    Transport.objects.filter(pk=made.pk).update(is_default=False)
    transports.switch(made, False, site.now, by=site.by)
    return made


def _urls(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    smtp = settings.get("smtp")
    if isinstance(smtp, dict) and _word(smtp.get("host")) not in ("", "localhost"):
        user = f"{_word(smtp.get('username'))}:{_word(smtp.get('password'))}@" if smtp.get("auth") == "oui" and smtp.get("username") else ""
        port = _number(smtp.get("port"))
        yield "smtp", f"smtp://{user}{_word(smtp.get('host'))}{f':{port}' if port else ''}?tls={_TLS.get(str(smtp.get('secure')), 'none')}"
    if settings.get("mailjet_api_key") and settings.get("mailjet_secret_key"):
        yield "mailjet", f"mailjet://{_word(settings['mailjet_api_key'])}:{_word(settings['mailjet_secret_key'])}@"
    if settings.get("sparkpost_api_key"):
        yield "sparkpost", f"sparkpost://{_word(settings['sparkpost_api_key'])}@{'?region=eu' if settings.get('sparkpost_api_endpoint') == 'eu' else ''}"
    if settings.get("mandrill_api_key"):
        yield "mandrill", f"mandrill://{_word(settings['mandrill_api_key'])}@"
    if settings.get("sendinblue_api_key"):
        yield "brevo", f"brevo://{_word(settings['sendinblue_api_key'])}@"


def _word(value: Any) -> str:
    return quote(str(value or "").strip(), safe="") if isinstance(value, str | int) else ""


def _number(value: Any) -> int:
    text = str(value or "").strip()
    return int(text) if text.isdigit() and len(text) < 10 else 0
