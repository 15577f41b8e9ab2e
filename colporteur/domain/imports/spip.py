"""The tables of SPIP's newsletter plugins that are read, and what is told from their names alone.

Letters behind the columns: ``n`` a whole number, ``m`` a date and time, ``e`` an address; without one, text. Columns that are not
there are empty, those not named here are left alone, but for what subscribers were asked beside ("champs extras").
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

TABLES: dict[str, str] = {
    "meta": "nom valeur",
    "auteurs": "id_auteur:n nom email:e statut lang",
    "rubriques": "id_rubrique:n id_parent:n titre",
    # Mailshot, Mailsubscribers, Newsletters
    "mailshots": "id_mailshot:n id sujet html texte listes graceful:n from_name from_email total:n current:n failed:n nb_read:n nb_clic:n nb_spam:n date:m date_start:m statut",
    "mailshots_destinataires": "id_mailshot:n email:e date:m statut try:n",
    "mailsubscribers": "id_mailsubscriber:n email:e nom optin date:m statut jeton lang listes invite_email_from invite_email_text maj",
    "mailsubscribinglists": "id_mailsubscribinglist:n identifiant titre titre_public descriptif adresse_envoi_nom adresse_envoi_email date:m statut segments",
    "mailsubscriptions": "id_mailsubscriber:n id_mailsubscribinglist:n id_segment:n statut maj:m",
    "mailsubscriptions_optins": "id_mailsubscriptions_optin:n id_mailsubscriber:n id_mailsubscribinglist:n date:m statut",
    "newsletters": "id_newsletter:n titre chapo texte patron baked:n html_email texte_email html_page date:m recurrence email_test liste statut lang",
    # SPIP-Listes
    "listes": "id_liste:n titre descriptif texte pied_page date:m lang statut email_envoi periode:n",
    "auteurs_listes": "id_auteur:n id_liste:n date_inscription:m statut format",
    "auteurs_elargis": "id_auteur:n spip_listes_format",
    "auteurs_mod_listes": "id_auteur:n id_liste:n",
    "courriers": "id_courrier:n id_liste:n titre texte message_texte date:m statut type total_abonnes:n nb_emails_envoyes:n nb_emails_non_envoyes:n nb_emails_echec:n date_debut_envoi:m date_fin_envoi:m",
    "auteurs_courriers": "id_auteur:n id_courrier:n statut maj:m",
    # SPIP-Lettres
    "abonnes": "id_abonne:n objet id_objet:n email:e code nom format maj:m",
    "abonnes_rubriques": "id_abonne:n id_rubrique:n date_abonnement:m statut",
    "desabonnes": "id_desabonne:n email:e",
    "themes": "id_theme:n id_rubrique:n titre lang",
    "lettres": "id_lettre:n id_rubrique:n titre descriptif chapo texte ps date:m lang message_html message_texte date_debut_envoi:m date_fin_envoi:m statut",
    "abonnes_lettres": "id_abonne:n id_lettre:n statut format maj:m",
    "clics": "id_clic:n id_lettre:n url",
    "abonnes_clics": "id_abonne:n id_clic:n id_lettre:n",
    # CleverMail, MesAbonnés
    "cm_lists": "lst_id:n lst_name lst_comment lst_moderation lst_moderator_email",
    "cm_lists_subscribers": "lst_id:n sub_id:n lsr_mode:n lsr_id",
    "cm_pending": "lst_id:n sub_id:n pnd_action pnd_mode:n pnd_action_date:n pnd_action_id",
    "cm_subscribers": "sub_id:n sub_email:e sub_profile",
    "cm_posts": "pst_id:n lst_id:n pst_date_create:n pst_date_update:n pst_date_sent:n pst_subject pst_html pst_text",
    "cm_posts_done": "pst_id:n sub_id:n",
    "cm_posts_queued": "pst_id:n sub_id:n psq_date:n",
    "cm_posts_links": "lnk_id:n pst_id:n lnk_name lnk_url",
    "mesabonnes": "id_abonne:n email:e nom date_modif:m statut",
}
OLD_NAMES = {"mailshot": "mailshots", "mailshot_destinataires": "mailshots_destinataires"}
"""Names before schema 0.3.0 of Mailshot."""
OPEN_ENDED = ("mailsubscribers",)
"""Tables whose further columns are kept."""
SETTINGS = ("mailshot", "mailsubscribers", "adresse_site", "nom_site", "email_webmaster", "langue_site", "secret_du_site")
"""Rows of ``meta`` that are read."""
# What only a newsletter plugin has: a prefix is believed by these.
_TELLING = {
    "mailshots": {"sujet", "listes"}, "mailsubscribers": {"email", "optin"}, "mailsubscribinglists": {"identifiant"}, "newsletters": {"patron"}, "auteurs_listes": {"id_liste"}, "courriers": {"message_texte"},
    "abonnes_rubriques": {"id_rubrique"}, "lettres": {"message_html"}, "cm_lists": {"lst_name"}, "cm_subscribers": {"sub_email"}, "mesabonnes": {"email"},
}  # fmt: skip


class Column(NamedTuple):
    """A column that is read and what is in it: "", "n", "m" or "e"."""

    name: str
    kind: str


def columns(base: str) -> tuple[Column, ...]:
    """The columns of a table of ``TABLES``."""
    return tuple(Column(name, kind) for name, _colon, kind in (word.partition(":") for word in TABLES[base].split()))


def split(table: str) -> tuple[str, str] | None:
    """Prefix and name of a table that is read ("spip_", "mailshots"); None for any other. The longest name counts."""
    for base in sorted((*TABLES, *OLD_NAMES), key=len, reverse=True):
        if table.endswith(base) and (table == base or table[: -len(base)].endswith("_")):
            return table[: -len(base)], base
    return None


def prefix_of(found: Iterable[tuple[str, str, Collection[str]]], wanted: str | None) -> str:
    """The prefix of the site's tables, of (prefix, table, its columns). Raises ``ValueError`` when it is none, or several."""
    telling: dict[str, int] = {}
    for prefix, base, names in found:
        if (needed := _TELLING.get(OLD_NAMES.get(base, base))) and needed <= set(names):
            telling[prefix] = telling.get(prefix, 0) + 1
    if wanted is not None:
        if wanted not in telling:
            raise ValueError(f"there are no tables of SPIP's newsletters that begin with {wanted!r}" + (f": found {', '.join(map(repr, sorted(telling)))}" if telling else ""))
        return wanted
    if not telling:
        raise ValueError("there are no tables of SPIP's newsletters in this file (Mailshot, Mailsubscribers, Newsletters, SPIP-Listes, SPIP-Lettres, CleverMail)")
    if len(telling) > 1:
        raise ValueError(f"the file holds several sites: say which with --prefix, one of {', '.join(sorted(telling))}")
    return next(iter(telling))


def identifier(text: str) -> str:
    """A list's identifier as sendings and old subscribers name it: "newsletter::news+12" is "news"."""
    return text.strip().removeprefix("newsletter::").partition("+")[0].strip()


def attribute_key(name: str) -> str:
    """What an attribute of that column is called; "" when nothing is left of the name."""
    return re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:40]
