"""A SPIP site moves in: subscribers, lists, sendings and settings of its newsletter plugins, from a dump or a backup.

The file is read into temporary tables first; then everything is done in one transaction, all or nothing. ``dry_run`` does the same and
takes it back. Nobody is written to. Sources: reference 2 (tables and vocabularies), 2.5 (rules).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from colporteur.domain.imports import php
from colporteur.domain.imports.spip import OLD_NAMES
from colporteur.domain.mailings import Priority
from colporteur.flow import nesting, quotas, roles
from colporteur.flow.imports import configuration, oldlinks, places, reading
from colporteur.flow.imports.account import Report, Table
from colporteur.flow.imports.details import describe, segments_of
from colporteur.flow.imports.places import Site
from colporteur.flow.imports.sendings import Sendings
from colporteur.store.imports import families, loading, staging
from colporteur.store.imports.loading import do, rows
from colporteur.store.imports.staging import Staged, Staging
from colporteur.store.lists import List, ListState, RoleKind
from colporteur.store.people import Person

SETTINGS_NOBODY_NEEDS = "a setting of the site that newsletters do not need"
DOUBLED = "of an older table that stands beside the newer one"
UNREADABLE = "it cannot be read: it is no plain row of values"
Progress = Callable[[int], None]


@dataclass(frozen=True)
class File:
    """What is imported and how. ``source``: what the site is called among imports, by its own address otherwise; ``keys``: its
    ``config/cles.php``, which proves the links in mail it sent."""

    path: Path
    domain: str | None = None
    prefix: str | None = None
    owner: str | None = None
    source: str | None = None
    keys: Path | None = None


def run(file: File, now: datetime, *, by: Person | str, dry_run: bool = False, progress: Progress | None = None) -> Report:
    """Import; the account of it. Raises ``ValueError`` for a file that is none of SPIP's, cut off or damaged: then nothing is changed."""
    domain = places.domain_called(file.domain)
    staging.begin()
    rows_ = Staging(file.prefix)
    try:
        reading.read(file.path, rows_, progress)
        prefix, tables = rows_.finish()
        report = Report({one.table: Table(one.read, 0, {DOUBLED: one.read}) for one in rows_.doubled})
        with transaction.atomic():
            settings = _settings()
            owners = (file.owner or "", *_webmasters(settings))
            name = file.source or f"spip {settings.get('adresse_site') or prefix}"
            site = Site(name.strip()[:200], domain, now, by, owners, str(settings.get("langue_site") or "")[:2] if settings.get("langue_site") in ("fr", "en") else "")
            _Import(site, report, {OLD_NAMES.get(one.base, one.base): one for one in tables}, settings).everything()
            oldlinks.take(site.name, str(settings.get("secret_du_site") or ""), file.keys, report)
            transaction.set_rollback(dry_run)
        return report
    finally:
        if not connection.needs_rollback:
            staging.begin()


@dataclass
class _Import:
    site: Site
    report: Report
    tables: dict[str, Staged]
    settings: dict[str, Any]

    def everything(self) -> None:
        for statement in families.BEGIN.strip().split(";"):
            if statement.strip():
                do(statement)
        self._read_lists()
        self._make_lists()
        self._read_people()
        self.report.oppositions, _left = loading.oppose(self.site.name, self.site.now)
        loading.leave_out_opposed("im_person")
        self.report.people = loading.people(self.site.name, self.site.now)
        self._read_members()
        self._add_members()
        self._sendings()
        self._nest_sections()
        self._moderators()
        configuration.take(self.site, _dict(self.settings.get("mailshot")), self.report)
        self._account()

    def _has(self, table: str) -> bool:
        return table in self.tables and self.tables[table].read > 0

    @property
    def _old(self) -> bool:
        """Whether subscriptions are a column of the subscribers: before Mailsubscribers 1.0."""
        return "mailsubscriptions" not in self.tables and "mailsubscribers" in self.tables and "listes" in self.tables["mailsubscribers"].columns

    def _read_lists(self) -> None:
        do(families.MAILSHOT_LISTS)
        if self._old:
            for one in _dict(_dict(self.settings.get("mailsubscribers")).get("lists")).values():
                ident = str(_dict(one).get("id") or "").removeprefix("newsletter::").strip()
                if ident:
                    values = {"ext": f"ms:{ident}", "ident": ident, "title": str(_dict(one).get("titre") or ident), "opened": _dict(one).get("status") == "open"}
                    do("INSERT INTO im_list (ext, tbl, ident, title, opened) VALUES (%(ext)s, 'meta', %(ident)s, %(title)s, %(opened)s) ON CONFLICT DO NOTHING", values)
            do(families.OLD_LISTS)
        for statement in (families.LISTES_LISTS, families.LETTRES_LISTS, families.CLEVER_LISTS, families.MES_LISTS):
            do(statement)

    def _make_lists(self) -> None:
        known = places.ours(self.site, "list")
        alive = dict(List.objects.filter(pk__in=known.values()).exclude(state=ListState.DELETED).values_list("pk", "pk"))
        for ext, ident, title, description, opened, lang in rows("SELECT ext, ident, title, description, opened, lang FROM im_list ORDER BY ext"):
            number = alive.get(known.get(ext, 0))
            if ext in known and number is None:  # deleted here: it does not come back
                continue
            if number is None:
                made = places.make(self.site, ident, title or ident, description or "", bool(opened), lang or "", self.report.notes)
                places.remember(self.site, "list", ext, made.pk)
                number, self.report.lists = made.pk, self.report.lists + 1
            do("UPDATE im_list SET list_id = %(id)s WHERE ext = %(ext)s", {"id": number, "ext": ext})
        numbers = places.ours(self.site, oldlinks.NUMBER)
        for there, list_id in rows("SELECT DISTINCT ON (number) number, list_id FROM im_list WHERE tbl = 'mailsubscribinglists' AND list_id IS NOT NULL ORDER BY number, ext"):
            if f"ms:{there}" not in numbers:
                places.remember(self.site, oldlinks.NUMBER, f"ms:{there}", list_id)
        do("DELETE FROM im_list WHERE list_id IS NULL")
        do("ANALYZE im_list")
        for title, name, email in rows("SELECT title, sender_name, sender_email FROM im_list WHERE coalesce(sender_email, '') <> '' OR coalesce(sender_name, '') <> '' ORDER BY ext"):
            self.report.notes.append(f"newsletters of “{title[:80]}” were sent as {(name or '')[:80]} <{(email or '')[:120]}>: set the sender in the newsletters you write")

    def _read_people(self) -> None:
        do(families.MAILSHOT_PEOPLE, {"old": self._old})
        for statement in (families.LISTES_PEOPLE, families.LETTRES_PEOPLE, families.LETTRES_LEFT, families.CLEVER_PEOPLE, families.MES_PEOPLE):
            do(statement)
        do(families.OPTINS)
        do("UPDATE im_person SET extra = coalesce(extra, '{}') || jsonb_build_object('language', lang) WHERE lang <> ''")
        for statement in families.SETTLE:
            do(statement)
        do("ANALYZE im_person")

    def _read_members(self) -> None:
        for statement in (families.MAILSHOT_MEMBERS, families.LISTES_MEMBERS, families.LETTRES_MEMBERS, families.CLEVER_MEMBERS, families.MES_MEMBERS):
            do(statement)
        if self._old:
            do(families.OLD_MEMBERS)

    def _add_members(self) -> None:
        joined, self.report.waiting = loading.members(self.site.name, self.site.now)
        for list_id, members, all_ in joined:
            list_ = List.objects.select_related("organisation", "domain").get(pk=list_id)
            quotas.check_members(list_, members)
            self.report.memberships += members
            self.report.left += all_ - members
            places.joined(list_, members, self.site.name, self.site.now, self.site.by)
        describe(loading.attribute_keys(), self.report)
        loading.details()

    def _sendings(self) -> None:
        lists: dict[str, int] = {}
        for ext, ident, id_ in rows("SELECT ext, ident, list_id FROM im_list ORDER BY ext DESC"):
            lists |= {ext: id_} | ({ident: id_} if ext.startswith("ms:") else {})
        segments = segments_of(self.site, rows("SELECT g.identifiant, g.segments, l.list_id FROM raw_mailsubscribinglists g JOIN im_list l ON l.ext = 'ms:' || btrim(g.identifiant) WHERE coalesce(g.segments, '') <> ''"), self.report)
        sendings = Sendings(self.site, self.report, lists, segments, self._fallback)
        sendings.take("mailshot", "mailshots", families.MAILSHOT_SENT)
        sendings.take("newsletter", "newsletters", families.NEWSLETTERS)
        sendings.take("listes", "courriers", families.LISTES_SENT)
        sendings.take("lettres", "lettres", families.LETTRES_SENT)
        sendings.take("clever", "cm_posts", families.CLEVER_SENT)
        do("ANALYZE im_sent")
        for statement in (families.MAILSHOT_COPIES, families.LISTES_COPIES, families.LETTRES_COPIES, families.CLEVER_COPIES):
            do(statement)
        self.report.copies = loading.copies(sendings.totals, Priority.NEWSLETTER.value, self.site.now)
        do(families.LINKS)
        do(families.CLICKS)

    def _fallback(self) -> List:
        """Where newsletters go whose lists nobody names, or are gone: the first public list, else one made for them."""
        known = places.ours(self.site, "list").get("")
        found = List.objects.exclude(state=ListState.DELETED).filter(pk=known or 0).first()
        if found is None and (first := rows("SELECT list_id FROM im_list ORDER BY opened DESC, ident = 'newsletter' DESC, number, ext LIMIT 1")):
            return List.objects.get(pk=first[0][0])
        if found is None:
            title = str(self.settings.get("nom_site") or "Newsletter")
            found = places.make(self.site, "newsletter", title, "", True, "", self.report.notes)
            places.remember(self.site, "list", "", found.pk)
            self.report.lists += 1
        return found

    def _nest_sections(self) -> None:
        """A letter went to the subscribers of its section and of every section above it, up to the whole site."""
        here = dict(rows("SELECT number, list_id FROM im_list WHERE ext LIKE 'le:%'"))
        above = dict(rows("SELECT id_rubrique, id_parent FROM raw_rubriques WHERE id_rubrique > 0"))
        for number in sorted(one for one in here if one):
            parent, seen = above.get(number, 0), {number}
            while parent and parent not in here and parent not in seen:
                seen.add(parent)
                parent = above.get(parent, 0)
            inner = here.get(parent if parent not in seen else 0)
            if inner and inner != here[number]:
                try:
                    nesting.put_inside(List.objects.get(pk=here[number]), List.objects.get(pk=inner), self.site.now, by=self.site.by)
                except ValueError as error:
                    self.report.notes.append(f"section {number}: {error}")

    def _moderators(self) -> None:
        table = self._table("auteurs_mod_listes")
        for _nr, list_id, email, name in rows(families.LISTES_MODERATORS):
            if list_id is None or email is None:
                table.add("of a list or an author that is not there")
                continue
            roles.give(List.objects.get(pk=list_id), email, RoleKind.MODERATOR, self.site.now, by=self.site.by, name=(name or "")[:200])
            table.add(None)

    def _table(self, base: str) -> Table:
        """The account of a table by the name it has in the file; of one that is not there, an account nobody sees."""
        staged = self.tables.get(base)
        return self.report.tables.setdefault(staged.table, Table(staged.read)) if staged else Table()

    def _account(self) -> None:
        for base, staged in self.tables.items():
            table = self._table(base)
            if staged.unreadable:
                table.add(UNREADABLE, staged.unreadable)
            if base in _COUNTED:
                kind = _COUNTED[base]
                table.add_all(rows(families.ACCOUNT[kind], [base]))
            elif base in families.COUNTED:
                table.add_all(rows(families.COUNTED[base]))
        self._table("meta").add_all([(SETTINGS_NOBODY_NEEDS, self.tables["meta"].passed)] if "meta" in self.tables and self.tables["meta"].passed else [])
        for table in self.report.tables.values():
            table.skipped = {why: number for why, number in table.skipped.items() if number}


_COUNTED = {
    "mailsubscribers": "person", "auteurs": "person", "abonnes": "person", "desabonnes": "person", "cm_subscribers": "person", "mesabonnes": "person",
    "mailsubscriptions": "member", "auteurs_listes": "member", "abonnes_rubriques": "member", "cm_lists_subscribers": "member", "cm_pending": "member",
    "mailshots": "sent", "newsletters": "sent", "courriers": "sent", "lettres": "sent", "cm_posts": "sent",
    "mailshots_destinataires": "copy", "auteurs_courriers": "copy", "abonnes_lettres": "copy", "cm_posts_done": "copy", "cm_posts_queued": "copy",
}  # fmt: skip
"""Tables whose rows became rows of ``im_<thing>``."""


def _settings() -> dict[str, Any]:
    """The settings that are read, PHP's arrays as dicts; what cannot be read is left out."""
    found: dict[str, Any] = {}
    for name, value in rows("SELECT nom, valeur FROM raw_meta ORDER BY nr"):
        if name in ("mailshot", "mailsubscribers"):
            try:
                found[name] = php.read(value or "")
            except php.NotPlain:
                continue
        else:
            found[name] = (value or "").strip()
    return found


def _webmasters(settings: dict[str, Any]) -> list[str]:
    """Who may look after the lists: an administrator here, else who did over there."""
    admin = Person.objects.filter(is_admin=True, is_active=True).order_by("id").first()
    authors = [row[0] for row in rows("SELECT email FROM raw_auteurs WHERE statut = '0minirezo' AND email IS NOT NULL ORDER BY id_auteur LIMIT 1")]
    return [one for one in (admin.primary_email if admin else "", str(settings.get("email_webmaster") or ""), *authors) if one]


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
