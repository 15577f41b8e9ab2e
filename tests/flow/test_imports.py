"""A SPIP site moves in: whatever version, whatever file, every row accounted for, nobody written to, twice the same as once."""

from __future__ import annotations

import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colporteur.flow import limits, lists, memberships, organisations, transports
from colporteur.flow import privacy as erasing
from colporteur.flow.imports import sheets, spip
from colporteur.flow.imports.account import Report
from colporteur.store import privacy
from colporteur.store.campaigns import Campaign, CampaignAudience
from colporteur.store.copies import Counts, counts
from colporteur.store.imports import Imported
from colporteur.store.lists import List, Role
from colporteur.store.memberships import Membership
from colporteur.store.models import Address, AddressStanding, Consent, Copy, Details, JoinRequest, Mailing, Nesting, Segment, Slice, Transport
from colporteur.store.policies import policy
from tests.flow.dumps import backup, dump, serialised

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
GONE = hashlib.md5(b"partie@exemple.example").hexdigest()

PEOPLE = "id_mailsubscriber email nom optin date statut jeton lang maj ville"
MAILSHOT = {
    "meta": ("nom valeur", [
        ("adresse_site", "https://www.saule.example"), ("nom_site", "Le Saule"), ("langue_site", "fr"), ("plugin", "a:0:{}"),
        ("mailshot", serialised({"mailer": "mailjet", "mailjet_api_key": "KEY", "mailjet_secret_key": "SECRET", "rate_limit": "5000", "smtp": {"host": "smtp.saule.example", "port": "587", "auth": "oui", "username": "lettre@saule.example", "password": "pa/ss:é", "secure": "tls"}})),
    ]),
    "mailsubscribinglists": ("id_mailsubscribinglist identifiant titre titre_public descriptif adresse_envoi_nom adresse_envoi_email date statut segments", [
        (1, "newsletter", "Lettre", "La lettre du Saule", "Tous les mois", "Le Saule", "lettre@saule.example", "2019-01-01 00:00:00", "ouverte", serialised({1: {"titre": "Rennais", "filtre_ville": "Rennes"}, 2: {"titre": "Autre", "filtre_mots": {0: 12}}})),
        (2, "interne", "Interne", "", "", "", "", "2019-01-01 00:00:00", "fermee", ""),
        (3, "vieille", "Vieille", "", "", "", "", "0000-00-00 00:00:00", "poubelle", ""),
    ]),
    "mailsubscribers": (PEOPLE, [
        (1, "Anna@exemple.example", "Anna Rivière", "Inscription : 2019-02-03 par anna (192.0.2.7)\nConfirmée", "2019-02-03 10:00:00", "valide", "j1", "fr", "2019", "Rennes"),
        (2, "marc@exemple.example", "Marc'; DROP TABLE list; --", "", "2020-02-03 10:00:00", "valide", "j2", "en", "", ""),
        (3, "prop@exemple.example", "", "", "2026-02-03 10:00:00", "prop", "j3", "fr", "", ""),
        (4, f"{GONE}@example.org", "", "", "2020-01-01 00:00:00", "refuse", "j4", "fr", "", ""),
        (5, "depart@exemple.example", "Claire", "", "2020-01-01 00:00:00", "refuse", "j5", "fr", "", ""),
        (6, "john.doe.12@example.org", "", "", "2020-01-01 00:00:00", "valide", "j6", "fr", "", ""),
        (7, "pas une adresse", "", "", "2020-01-01 00:00:00", "valide", "j7", "fr", "", ""),
        (8, "poub@exemple.example", "", "", "2020-01-01 00:00:00", "poubelle", "j8", "fr", "", ""),
        (9, "ANNA@EXEMPLE.EXAMPLE", "", "", "2020-01-01 00:00:00", "valide", "j9", "fr", "", ""),
        (10, "prepa@exemple.example", "", "", "2020-01-01 00:00:00", "prepa", "j10", "fr", "", ""),
    ]),
    "mailsubscriptions": ("id_mailsubscriber id_mailsubscribinglist id_segment statut actualise_segments maj", [
        (1, 1, 0, "valide", 0, "2021-01-01 00:00:00"), (1, 1, 1, "valide", 0, "2021-01-01 00:00:00"), (1, 2, 0, "refuse", 0, "2022-05-05 12:00:00"),
        (2, 1, 0, "valide", 0, "2021-01-01 00:00:00"), (2, 2, 0, "valide", 0, "2021-01-01 00:00:00"), (3, 1, 0, "prop", 0, "2026-02-03 10:00:00"),
        (5, 1, 0, "refuse", 0, "2021-01-01 00:00:00"), (6, 1, 0, "valide", 0, ""), (99, 1, 0, "valide", 0, ""), (2, 3, 0, "valide", 0, ""),
    ]),
    "mailsubscriptions_optins": ("id_mailsubscriptions_optin id_mailsubscriber id_mailsubscribinglist date statut maj", [(1, 1, 1, "2019-02-04 11:00:00", "valide", ""), (2, 6, 1, "2019-02-04 11:00:00", "outdated", "")]),
    "mailshots": ("id_mailshot id sujet html texte listes graceful from_name from_email total current failed nb_read nb_clic nb_spam date date_start statut date_alerte_fail", [
        (1, "7", "Été & amis", "<p>Bonjour @nom@</p>", "Bonjour @nom@", "newsletter", 1, "Le Saule", "lettre@saule.example", 4, 4, 1, 2, 1, 0, "2024-06-01 11:00:00", "2024-06-01 10:00:00", "end", ""),
        (2, "8", "Archivée", "<p>Vieux</p>", "", "newsletter::newsletter", 1, "", "", 1000, 1000, 30, 400, 100, 2, "2020-06-01 11:00:00", "2020-06-01 10:00:00", "archive", ""),
        (3, "9", "En cours", "<p>x</p>", "x", "newsletter,interne", 1, "", "", 3, 1, 0, 0, 0, 0, "2026-06-01 11:00:00", "2026-06-01 10:00:00", "processing", ""),
        (4, "10", "Prévue", "<p>x</p>", "x", "newsletter+1", 1, "", "", 3, 0, 0, 0, 0, 0, "2026-06-01 11:00:00", "2027-06-01 10:00:00", "init", ""),
        (5, "11", "Jetée", "<p>x</p>", "x", "newsletter", 1, "", "", 3, 0, 0, 0, 0, 0, "2026-06-01 11:00:00", "2026-06-01 10:00:00", "poubelle", ""),
    ]),
    "mailshots_destinataires": ("id_mailshot email date statut try", [
        (1, "anna@exemple.example", "2024-06-01 10:00:05", "clic", 1), (1, "marc@exemple.example", "2024-06-01 10:00:06", "fail", 5), (1, "depart@exemple.example", "2024-06-01 10:00:06", "sent", 1), (1, "ancien@exemple.example", "2024-06-01 10:00:06", "read", 1),
        (3, "anna@exemple.example", "2026-06-01 10:00:05", "sent", 1), (3, "marc@exemple.example", "2026-06-01 10:00:05", "todo", 0), (3, f"{GONE}@example.org", "2026-06-01 10:00:05", "todo", 0),
        (4, "anna@exemple.example", "", "todo", 0), (5, "anna@exemple.example", "", "todo", 0), (77, "anna@exemple.example", "", "sent", 1),
    ]),
    "newsletters": ("id_newsletter titre chapo texte date_redac patron baked html_email texte_email html_page date recurrence email_test liste statut lang maj", [
        (7, "Été & amis", "", "", "", "", 1, "<p>Bonjour</p>", "", "", "2024-06-01 10:00:00", "", "", "", "publie", "fr", ""),
        (20, "Brouillon", "Chapo", "Texte {{gras}}", "", "", 0, "", "", "", "2026-10-01 10:00:00", "", "", "newsletter", "prepa", "fr", ""),
        (21, "Publiée sans envoi", "", "", "", "", 1, "<p>Page</p>", "Page", "", "2023-10-01 10:00:00", "", "", "", "publie", "fr", ""),
        (22, "Refusée", "", "x", "", "", 0, "", "", "", "2023-10-01 10:00:00", "", "", "", "refuse", "fr", ""),
    ]),
}  # fmt: skip


@pytest.fixture(autouse=True)
def domain(db: None) -> None:
    organisations.add_domain("lettres.saule.example", None, NOW, by="test")


def bring(raw: bytes | Path, tmp_path: Path, *, dry_run: bool = False, **more: Any) -> Report:
    path = raw if isinstance(raw, Path) else tmp_path / "site.sql"
    if isinstance(raw, bytes):
        path.write_bytes(raw)
    report = spip.run(spip.File(path, **more), NOW, by="test", dry_run=dry_run)
    for name, table in report.tables.items():
        assert table.read == table.taken + sum(table.skipped.values()), (name, table)
    return report


def skipped(report: Report, table: str) -> dict[str, int]:
    return report.tables[f"spip_{table}"].skipped


def counted(mailing: Mailing) -> Counts:
    return counts([mailing.pk])[mailing.pk]


def everything() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in (List, Membership, Address, Consent, JoinRequest, Campaign, Mailing, Copy, Slice, Segment, Details, Transport, privacy.Opposition, Imported, Role)}


def test_mailshot_and_mailsubscribers_of_today(tmp_path: Path) -> None:
    report = bring(dump(MAILSHOT), tmp_path)
    assert (report.people, report.lists, report.memberships, report.left, report.waiting, report.oppositions) == (3, 2, 3, 1, 1, 2)
    assert (report.mailings, report.drafts, report.transports, report.segments) == (4, 3, 2, 1)
    letter, inside = List.objects.get(address="newsletter@lettres.saule.example"), List.objects.get(address="interne@lettres.saule.example")
    assert (letter.title, letter.language, policy(letter).joining, policy(inside).joining) == ("La lettre du Saule", "fr", "confirm", "closed")
    anna = Membership.objects.select_related("consent").get(list=letter, address__email="anna@exemple.example")
    assert anna.since == datetime(2019, 2, 4, 10, 0, tzinfo=UTC), "11:00 on the site's clock, when it was confirmed"
    assert anna.consent and "(192.0.2.7)\nConfirmée" in anna.consent.evidence and "SHA-256" in anna.consent.evidence and anna.consent.how == "import"
    assert Membership.objects.get(list=inside, address__email="anna@exemple.example").left_by == "member"
    assert JoinRequest.objects.get().address.email == "prop@exemple.example"
    assert Details.objects.get(list=letter, address__email="anna@exemple.example").values == {"ville": "Rennes", "language": "fr"}
    assert privacy.opposed(["partie@exemple.example", "depart@exemple.example", "anna@exemple.example"]) == {"partie@exemple.example", "depart@exemple.example"}
    assert not Address.objects.filter(email__in=["depart@exemple.example", "partie@exemple.example"]).exists()
    assert memberships.add(letter, [("Partie@exemple.example", "")], NOW, by="test").added == 0, "whoever left stays away"
    assert skipped(report, "mailsubscribers") == {"a placeholder in the place of an address that was lost": 1, "not an e-mail address": 1, "in the bin": 1, "known, but subscribed to nothing": 2}
    assert skipped(report, "mailsubscriptions") == {"of a segment, which is found anew here": 1, "of somebody who left: kept as an opposition only": 1, "of somebody who is not taken": 1, "of somebody who is not there": 1, "of a list that is not there": 1}
    assert skipped(report, "mailsubscribinglists") == {"in the bin": 1}
    assert skipped(report, "meta") == {spip.SETTINGS_NOBODY_NEEDS: 1}


def test_sendings_keep_states_and_totals_and_what_was_under_way_is_a_draft(tmp_path: Path) -> None:
    report = bring(dump(MAILSHOT, admin=True), tmp_path)
    assert skipped(report, "mailshots") == {"in the bin": 1} and skipped(report, "newsletters") == {"its sending is taken, with what it said": 1, "refused over there": 1}
    sent = Mailing.objects.get(subject="Été & amis")
    assert dict(Copy.objects.filter(mailing=sent).values_list("address__email", "state")) == {"anna@exemple.example": 2, "marc@exemple.example": 3, "ancien@exemple.example": 2}
    assert counted(sent).sent == 3 and counted(sent).failed == 1, "who left counts in the totals"
    assert Campaign.objects.get(mailing=sent).source == "<p>Bonjour @nom@</p>"
    old = Mailing.objects.get(subject="Archivée")
    assert (counted(old).sent, counted(old).failed) == (970, 30) and not Copy.objects.filter(mailing=old).exists()
    under_way = Mailing.objects.get(subject="En cours")
    assert under_way.state == "cancelled" and Copy.objects.filter(mailing=under_way, state=2).count() == 1
    draft = Campaign.objects.get(subject="En cours", state="draft")
    assert draft.same_as and draft.same_as.mailing == under_way and draft.audience.count() == 2
    planned = Campaign.objects.get(subject="Prévue")
    assert (planned.state, planned.send_at, planned.mailing) == ("draft", None, None)
    assert CampaignAudience.objects.get(campaign=planned).segment == Segment.objects.get(name="Rennais")
    assert not Mailing.objects.exclude(state__in=("done", "cancelled")).exists() and not Slice.objects.filter(done=False).exists() and not Mailing.objects.filter(finished=None).exists(), "nothing can be sent"
    assert Campaign.objects.get(subject="Publiée sans envoi").list.name == "newsletter", "of no list: the first public one"
    assert Campaign.objects.get(subject="Brouillon").source == "Chapo\n\nTexte {{gras}}"
    assert any("Autre" in note for note in report.notes)


def test_settings_become_transports_that_are_switched_off(tmp_path: Path) -> None:
    bring(dump(MAILSHOT), tmp_path)
    found = {one.kind: one for one in Transport.objects.all()}
    assert {kind: (one.enabled, one.is_default) for kind, one in found.items()} == {"smtp": (False, False), "mailjet": (False, False)}
    assert transports.url_of(found["smtp"]) == "smtp://lettre%40saule.example:pa%2Fss%3A%C3%A9@smtp.saule.example:587?tls=starttls"
    assert "SECRET" not in found["mailjet"].url_sealed and [str(one.rate) for one in limits.show(limits.of_transport(found["mailjet"]))] == ["5000/day"]


def test_a_second_import_changes_nothing_and_a_dry_run_says_the_same_as_the_run(tmp_path: Path) -> None:
    before = everything()
    dry = bring(dump(MAILSHOT), tmp_path, dry_run=True)
    assert everything() == before
    assert bring(dump(MAILSHOT), tmp_path).as_dict() == dry.as_dict()
    after = everything()
    again = bring(dump(MAILSHOT), tmp_path)
    assert everything() == after
    assert not any((again.people, again.lists, again.memberships, again.oppositions, again.mailings, again.drafts, again.copies, again.transports))


def test_what_changed_since_the_last_import_is_taken_and_what_people_did_here_stays(tmp_path: Path) -> None:
    bring(dump(MAILSHOT), tmp_path)
    letter = List.objects.get(address="newsletter@lettres.saule.example")
    memberships.leave(letter, Address.objects.get(email="anna@exemple.example"), NOW, by="anna")
    people = [*MAILSHOT["mailsubscribers"][1], (30, "neu@exemple.example", "", "", "2026-01-01 00:00:00", "valide", "j30", "fr", "", "")]
    people[1] = (2, "marc@exemple.example", "", "", "2020-02-03 10:00:00", "refuse", "j2", "en", "", "")
    later = MAILSHOT | {"mailsubscribers": (PEOPLE, people), "mailsubscriptions": (MAILSHOT["mailsubscriptions"][0], [*MAILSHOT["mailsubscriptions"][1], (30, 1, 0, "valide", 0, "")])}
    report = bring(dump(later), tmp_path)
    assert (report.people, report.memberships, report.oppositions) == (1, 1, 1)
    assert set(Membership.objects.filter(list=letter, until=None).values_list("address__email", flat=True)) == {"neu@exemple.example"}


@pytest.mark.parametrize("kind", ["sqlite", "gz", "latin1", "twice"])
def test_the_same_site_in_any_file(tmp_path: Path, kind: str) -> None:
    if kind == "sqlite":
        file: bytes | Path = backup(tmp_path / "site.sqlite", MAILSHOT, "asso_")
    elif kind == "gz":
        file = tmp_path / "site.sql.gz"
        file.write_bytes(gzip.compress(dump(MAILSHOT, "asso_")))
    else:
        file = dump(MAILSHOT, "asso_", encoding="latin1") if kind == "latin1" else dump(MAILSHOT, "asso_").decode("cp1252").encode()
    report = bring(file, tmp_path)
    assert (report.people, report.lists, report.memberships, report.oppositions, report.mailings) == (3, 2, 3, 2, 4)
    assert Address.objects.get(email="anna@exemple.example").name == "Anna Rivière" and Mailing.objects.filter(subject="Été & amis").exists()


def test_mailsubscribers_before_1_0_and_mailshot_in_the_singular(tmp_path: Path) -> None:
    columns = "id_mailsubscriber email nom listes optin date statut jeton lang"
    tables = {
        "meta": ("nom valeur", [("mailsubscribers", serialised({"lists": {0: {"id": "newsletter", "titre": "La lettre", "status": "open"}, 1: {"id": "vide", "titre": "Vide", "status": "close"}}}))]),
        "mailshot": ("id_mailshot id sujet html texte listes total current failed date date_start statut next", [(1, "a", "Une", "<p>1</p>", "1", "newsletter::newsletter", 2, 2, 0, "2012-01-02 00:00:00", "2012-01-01 00:00:00", "end", 0.5)]),
        "mailshot_destinataires": ("id_mailshot email date statut", [(1, "anna@exemple.example", "2012-01-01 00:00:00", "sent"), (1, "anna@EXEMPLE.example", "2012-01-01 00:00:00", "sent")]),
        "mailsubscribers": (columns, [(1, "anna@exemple.example", "", "newsletter::newsletter,newsletter::other", "", "2012-01-01 00:00:00", "valide", "a", "fr"), (2, "p@exemple.example", "", "newsletter::newsletter", "", "2012-01-01 00:00:00", "prop", "b", "fr")]),
    }  # fmt: skip
    report = bring(dump(tables), tmp_path)
    assert (report.lists, report.memberships, report.waiting, report.mailings, report.copies) == (3, 2, 1, 1, 1)
    assert skipped(report, "mailshot_destinataires") == {"the same address twice in one sending": 1}
    assert List.objects.get(address="newsletter@lettres.saule.example").title == "La lettre"


def test_spip_listes(tmp_path: Path) -> None:
    tables = {
        "auteurs": ("id_auteur nom email statut lang", [(1, "Anna", "anna@exemple.example", "6forum", "fr"), (2, "Non", "non@exemple.example", "6forum", "fr"), (3, "Auteur", "auteur@exemple.example", "0minirezo", "fr")]),
        "auteurs_elargis": ("id id_auteur spip_listes_format", [(1, 1, "texte"), (2, 2, "non")]),
        "auteurs_listes": ("id_auteur id_liste date_inscription statut format", [(1, 1, "2010-01-01 00:00:00", "valide", "html"), (1, 2, "2010-01-01 00:00:00", "a_valider", "html"), (2, 1, "2010-01-01 00:00:00", "valide", "html")]),
        "auteurs_mod_listes": ("id_auteur id_liste", [(3, 1), (9, 1)]),
        "auteurs_courriers": ("id_auteur id_courrier statut etat maj", [(1, 1, "echec", "", "2010-02-01 00:00:00")]),
        "courriers": ("id_courrier id_auteur id_liste titre texte message_texte date statut type total_abonnes nb_emails_envoyes nb_emails_non_envoyes nb_emails_echec date_debut_envoi date_fin_envoi", [
            (1, 3, 1, "Une lettre", "<p>__bLg__x__bLg__Bonjour</p>", "Bonjour", "2010-02-01 00:00:00", "publie", "nl", 10, 8, 1, 1, "2010-02-01 00:00:00", "2010-02-01 01:00:00"), (2, 3, 1, "Rédaction", "<p>x</p>", "", "2010-02-01 00:00:00", "redac", "nl", 0, 0, 0, 0, "", "")]),
        "listes": ("id_liste titre descriptif texte date statut email_envoi lang", [(1, "Été 2010", "", "", "2010-01-01 00:00:00", "liste", "lettre@saule.example", "fr"), (2, "Privée", "", "", "", "inact", "", ""), (3, "x", "", "", "", "poublist", "", "")]),
    }  # fmt: skip
    report = bring(dump(tables), tmp_path)
    assert (report.people, report.lists, report.memberships, report.waiting, report.oppositions, report.mailings, report.drafts) == (1, 2, 1, 1, 1, 1, 1)
    made = List.objects.get(address="ete-2010@lettres.saule.example")
    assert Details.objects.get(list=made).values["format"] == "texte" and Role.objects.filter(list=made, kind="moderator").count() == 1
    mailing = Mailing.objects.get()
    assert (counted(mailing).sent, counted(mailing).failed) == (8, 2) and Campaign.objects.get(mailing=mailing).source == "<p>Bonjour</p>"
    assert skipped(report, "auteurs") == {"an author of the site who is on no list of SPIP-Listes": 1}


def test_spip_lettres_keeps_the_whole_site_and_the_sections_above(tmp_path: Path) -> None:
    tables = {
        "rubriques": ("id_rubrique id_parent titre", [(1, 0, "Actions"), (2, 1, "Sans abonné"), (3, 2, "Jardin")]),
        "auteurs": ("id_auteur nom email statut", [(5, "Odile", "odile@exemple.example", "1comite")]),
        "abonnes": ("id_abonne objet id_objet email code nom format maj", [(1, "abonnes", 0, "anna@exemple.example", "c1", "Anna", "mixte", "2011-01-01 00:00:00"), (2, "auteurs", 5, "", "c2", "", "html", ""), (3, "abonnes", 0, "parti@exemple.example", "c3", "", "html", ""), (4, "abonnes", 0, "jane.doe.4@example.org", "c4", "", "html", "")]),
        "abonnes_rubriques": ("id_abonne id_rubrique date_abonnement statut", [(1, 0, "2011-01-01 00:00:00", "valide"), (2, 1, "2011-01-02 00:00:00", "valide"), (1, 3, "2011-01-01 00:00:00", "a_valider"), (3, 1, "2011-01-01 00:00:00", "valide"), (4, 1, "2011-01-01 00:00:00", "valide")]),
        "desabonnes": ("id_desabonne email", [(1, "parti@exemple.example")]),
        "themes": ("id_theme id_rubrique titre lang expediteur_type", [(1, 3, "La lettre du jardin", "fr", "default")]),
        "lettres": ("id_lettre id_rubrique titre chapo texte date lang message_html message_texte date_debut_envoi date_fin_envoi statut", [(1, 3, "Semis", "", "", "2011-02-01 00:00:00", "fr", "<p>Semis</p>", "Semis", "2011-02-01 00:00:00", "2011-02-01 00:10:00", "envoyee"), (2, 3, "Suite", "", "Texte", "", "fr", "", "", "", "", "brouillon")]),
        "abonnes_lettres": ("id_abonne id_lettre statut format maj", [(1, 1, "envoye", "html", "2011-02-01 00:00:00"), (2, 1, "echec", "html", "2011-02-01 00:00:00"), (3, 1, "annule", "html", "2011-02-01 00:00:00"), (4, 1, "envoye", "html", "")]),
        "clics": ("id_clic id_lettre url", [(1, 1, "https://saule.example/semis")]),
        "abonnes_clics": ("id_abonne id_clic id_lettre", [(1, 1, 1), (2, 1, 1)]),
    }  # fmt: skip
    report = bring(dump(tables), tmp_path)
    assert (report.people, report.lists, report.memberships, report.waiting, report.oppositions, report.mailings, report.drafts, report.copies) == (2, 3, 2, 1, 1, 1, 1, 2)
    garden = List.objects.get(address="la-lettre-du-jardin@lettres.saule.example")
    inside = {edge.outer.address: edge.inner.address for edge in Nesting.objects.all()}
    assert inside == {garden.address: "actions@lettres.saule.example", "actions@lettres.saule.example": "site@lettres.saule.example"}, "the section without subscribers is passed over"
    assert Membership.objects.get(list__address="actions@lettres.saule.example").address.email == "odile@exemple.example", "of an author's row"
    assert privacy.opposed(["parti@exemple.example"]) and Imported.objects.filter(kind="token", external="abonnes c1").exists()
    assert (counted(Mailing.objects.get()).sent, counted(Mailing.objects.get()).failed) == (3, 1), "copies of who is not known any more count in the totals"


def test_clevermail_and_mesabonnes(tmp_path: Path) -> None:
    md5 = hashlib.md5(b"x@exemple.example").hexdigest()
    tables = {
        "cm_lists": ("lst_id lst_name lst_comment lst_moderation lst_moderator_email", [(1, "Info", "c", "open", "m@saule.example")]),
        "cm_subscribers": ("sub_id sub_email sub_profile", [(1, "anna@exemple.example", ""), (2, f"{md5}@example.com", ""), (3, "p@exemple.example", "")]),
        "cm_lists_subscribers": ("lst_id sub_id lsr_mode lsr_id", [(1, 1, 1, "h1"), (1, 2, 1, "h2")]),
        "cm_pending": ("lst_id sub_id pnd_action pnd_mode pnd_action_date pnd_action_id", [(1, 3, "subscribe", 1, 1262304000, "p1"), (1, 1, "unsubscribe", 1, -(10**17), "p2")]),
        "cm_posts": ("pst_id lst_id pst_date_create pst_date_update pst_date_sent pst_subject pst_html pst_text", [(1, 1, 1262304000, 0, 1262304000, "Une @@NOM_LETTRE@@", "<p>1</p>", "1"), (2, 1, 1262304000, 0, 0, "Deux", "<p>2</p>", "2")]),
        "cm_posts_done": ("pst_id sub_id", [(1, 1), (1, 2)]),
        "mesabonnes": ("id_abonne email nom date_modif statut", [(1, "b@exemple.example", "B", "2010-01-01 00:00:00", "publie"), (2, "c@exemple.example", "C", "", "prop")]),
    }
    report = bring(dump(tables), tmp_path)
    assert (report.people, report.lists, report.memberships, report.waiting, report.oppositions, report.mailings, report.drafts, report.copies) == (3, 2, 2, 1, 1, 1, 1, 1)
    assert Mailing.objects.get().started == JoinRequest.objects.get().asked_at == datetime(2010, 1, 1, tzinfo=UTC)


def test_tables_of_old_plugins_do_not_bring_back_who_left_since(tmp_path: Path) -> None:
    old = {
        "auteurs": ("id_auteur nom email statut lang", [(1, "Claire", "depart@exemple.example", "6forum", "fr"), (2, "Partie", "partie@exemple.example", "6forum", "fr"), (3, "Nouveau", "neu@exemple.example", "6forum", "fr")]),
        "auteurs_listes": ("id_auteur id_liste date_inscription statut format", [(1, 1, "", "valide", "html"), (2, 1, "", "valide", "html"), (3, 1, "", "valide", "html")]),
        "listes": ("id_liste titre descriptif texte date statut email_envoi lang", [(1, "Vieille", "", "", "", "liste", "", "fr")]),
    }
    bring(dump(MAILSHOT | old), tmp_path)
    assert list(Membership.objects.filter(list__address="vieille@lettres.saule.example").values_list("address__email", flat=True)) == ["neu@exemple.example"]


def test_an_address_that_is_taken_is_given_another_name_which_is_told(tmp_path: Path) -> None:
    lists.create("newsletter@lettres.saule.example", "newsletter", "helene@saule.example", NOW, by="test")
    report = bring(dump(MAILSHOT), tmp_path)
    assert List.objects.filter(address="newsletter-news@lettres.saule.example").exists() and any("newsletter-news@" in note for note in report.notes)


def test_several_sites_in_one_file_are_told_apart_by_their_prefix(tmp_path: Path) -> None:
    both = dump(MAILSHOT) + dump({"mailsubscribers": (PEOPLE, MAILSHOT["mailsubscribers"][1][:1])}, "deux_")
    with pytest.raises(ValueError, match="--prefix"):
        bring(both, tmp_path)
    assert bring(both, tmp_path, prefix="spip_").people == 3


@pytest.mark.parametrize("cut", [0.3, 0.5, 0.8, 0.97])
def test_a_file_that_is_cut_off_changes_nothing(tmp_path: Path, cut: float) -> None:
    whole = dump(MAILSHOT)
    at = whole.rindex(b"(", 0, int(len(whole) * cut)) + 3
    before = everything()
    with pytest.raises(ValueError, match="cut off"):
        bring(whole[:at], tmp_path)
    assert everything() == before


def test_objects_and_bombs_in_settings_are_left_alone(tmp_path: Path) -> None:
    bad = ['O:8:"stdClass":1:{s:1:"a";i:1;}', "a:1:{" * 5000, "a:999999999:{i:0;", 's:999:"x";', "a:1:{i:0;R:1;}"]
    for text in bad:
        tables = MAILSHOT | {"meta": ("nom valeur", [("mailshot", text)]), "mailsubscribinglists": (MAILSHOT["mailsubscribinglists"][0], [(1, "newsletter", "L", "", "", "", "", "", "ouverte", text)])}
        assert bring(dump(tables), tmp_path, dry_run=True).transports == 0


CSV = """Adresse e-mail;Nom;Statut;Date d'inscription;Ville
anna@exemple.example;Anna;abonné;03/02/2019 10:00;Rennes
marc@exemple.example;Marc;unsubscribed;2020-01-01 00:00:00;
bou@exemple.example;;cleaned;;
non@exemple.example;;unconfirmed;;
bloc@exemple.example;;blocklisted;;
pas une adresse;;abonné;;
ANNA@exemple.example;;abonné;;
odd@exemple.example;;???;;
"""


def test_subscribers_of_any_tool_come_to_a_list_as_they_stood_there(tmp_path: Path) -> None:
    lists.create("lettre@lettres.saule.example", "newsletter", "helene@saule.example", NOW, by="test")
    path = tmp_path / "export.csv"
    path.write_bytes(CSV.encode("cp1252"))

    def take(**more: Any) -> Report:
        report = sheets.run(path, "lettre@lettres.saule.example", NOW, by="test", **more)
        table = report.tables["export.csv"]
        assert table.read == 8 == table.taken + sum(table.skipped.values())
        return report

    before = everything()
    dry = take(dry_run=True)
    assert everything() == before
    report = take()
    assert report.as_dict() == dry.as_dict() and (report.people, report.memberships, report.left, report.oppositions) == (3, 2, 1, 1)
    assert report.tables["export.csv"].skipped == {"not an e-mail address": 1, "not confirmed, or switched off, over there": 1, "its status is not known": 1, "the address of another row": 1}
    found = {row.address.email: row for row in Membership.objects.select_related("address", "consent")}
    assert found["anna@exemple.example"].since == datetime(2019, 2, 3, 9, 0, tzinfo=UTC) and "03/02/2019" in found["anna@exemple.example"].consent.evidence
    assert found["marc@exemple.example"].left_by == "member" and AddressStanding.objects.get().address.email == "bou@exemple.example"
    assert Details.objects.get(address__email="anna@exemple.example").values == {"ville": "Rennes"} and privacy.opposed(["bloc@exemple.example"])
    after = everything()
    again = take()
    assert everything() == after and (again.people, again.memberships, again.oppositions) == (0, 0, 0)


def test_who_is_erased_leaves_no_words_of_the_other_system_and_does_not_come_back(tmp_path: Path) -> None:
    bring(dump(MAILSHOT), tmp_path)
    erasing.erase(erasing.subject("anna@exemple.example"), NOW, by="test")
    assert not Consent.objects.filter(evidence__contains="192.0.2.7").exists() and not Imported.objects.filter(external="mailsubscribers j1").exists()
    again = bring(dump(MAILSHOT), tmp_path)
    assert (again.people, again.memberships, again.copies) == (0, 0, 0) and not Address.objects.filter(email="anna@exemple.example").exists()


def test_whatever_fails_on_the_way_leaves_nothing_behind_and_the_next_run_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything()
    with monkeypatch.context() as broken, pytest.raises(OSError):
        broken.setattr(spip.configuration, "take", lambda *_about: (_ for _ in ()).throw(OSError("killed")))
        bring(dump(MAILSHOT), tmp_path)
    assert everything() == before
    assert bring(dump(MAILSHOT), tmp_path).people == 3


ROW = st.tuples(
    st.integers(0, 4), st.sampled_from(["a@x.example", "A@X.example", "b@x.example", f"{GONE}@example.org", "jane.doe.3@example.org", "x", "", "c@x.example'); DROP TABLE list; --"]),
    st.sampled_from(["valide", "prop", "refuse", "poubelle", "prepa", "", "odd"]), st.sampled_from(["", "0000-00-00 00:00:00", "2024-13-01", "2019-02-03 10:00:00", "2999-01-01"]),
)  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROW, max_size=6), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 1), st.sampled_from(["valide", "prop", "refuse", "x"])), max_size=8), st.lists(st.tuples(st.integers(0, 3), ROW), max_size=6))
def test_whatever_the_rows_say_the_account_adds_up(tmp_path: Path, people: list[Any], subscriptions: list[Any], recipients: list[Any]) -> None:
    tables = {
        "mailsubscribers": ("id_mailsubscriber email optin statut date jeton", [(number, email, "x\\'\n", state, at, "j") for number, email, state, at in people]),
        "mailsubscribinglists": ("id_mailsubscribinglist identifiant titre statut", [(1, "a", "A", "ouverte"), (1, "a", "B", "fermee"), (2, "", "", "")]),
        "mailsubscriptions": ("id_mailsubscriber id_mailsubscribinglist id_segment statut", subscriptions),
        "mailshots": ("id_mailshot sujet html listes statut date total", [(1, "s", "<p>x</p>", "a", "end", "2024-01-01", 3), (2, "", "", "", "end", "", 0), (1, "t", "y", "b", "pause", "", 1)]),
        "mailshots_destinataires": ("id_mailshot email statut date try", [(number, row[1], row[2], row[3], row[0]) for number, row in recipients]),
    }
    assert bring(dump(tables), tmp_path, dry_run=True).mailings == 1


def test_an_older_table_beside_the_newer_one_is_accounted_for(tmp_path: Path) -> None:
    report = bring(dump(MAILSHOT | {"mailshot": ("id_mailshot sujet listes", [(1, "x", "y")])}), tmp_path, dry_run=True)
    assert skipped(report, "mailshot") == {spip.DOUBLED: 1} and report.mailings == 4
