"""What each SPIP plugin's tables say, told in the words of all: lists, people, memberships, sendings, copies.

The statements read ``raw_<table>`` (``staging``) and write ``im_<thing>``; each row of a table that is accounted for becomes exactly
one row there, with the reason in ``why`` when it is not taken. Sources: reference 2.1, 2.4, 2.5 (SPIP's own declarations of tables).
"""

from __future__ import annotations

from django.conf import settings

BEGIN = """
CREATE TEMP TABLE im_list (ext text PRIMARY KEY, tbl text, number bigint, ident text, title text, description text DEFAULT '', sender_name text, sender_email text, opened boolean DEFAULT false,
                           lang text, list_id bigint, made boolean DEFAULT false);
CREATE TEMP TABLE im_person (tbl text, nr bigint, ext text, email text, name text, lang text, consent text, at timestamp, extra jsonb, token text, opposed boolean DEFAULT false, md5 text,
                             why text, before boolean DEFAULT false, consent_id bigint, address_id bigint);
CREATE TEMP TABLE im_member (tbl text, nr bigint, list_ext text, email text, state text, since timestamp, until timestamp, why text);
CREATE TEMP TABLE im_sent (family text, ext text, tbl text, mailing bigint, why text, PRIMARY KEY (family, ext));
CREATE TEMP TABLE im_copy (tbl text, nr bigint, mailing bigint, email text, state smallint, attempts smallint, at timestamp, why text);
CREATE TEMP TABLE im_opposed (email text PRIMARY KEY);
"""

IN_BIN, PLACEHOLDER, NO_ADDRESS = "in the bin", "a placeholder in the place of an address that was lost", "not an e-mail address"
NOTHING, TWICE, NEWER = "known, but subscribed to nothing", "the address of another row", "Mailsubscribers says something newer about this address"
LEFT = "of somebody who left: kept as an opposition only"
NOT_BEGUN = "of a sending that is a draft now, and had not begun"
NO_PERSON, NOT_TAKEN, NO_LIST, UNKNOWN = "of somebody who is not there", "of somebody who is not taken", "of a list that is not there", "in a state that is not known"

_IS_MD5 = r"{0} ~* '^[0-9a-f]{{32}}@example\.(org|com)$'"
_MD5 = f"CASE WHEN {_IS_MD5} THEN lower(left({{0}}, 32)) END"
_UNFIT = rf"""WHEN {{0}}.written ~* '^(john|jane)\.doe\.[0-9]+@example\.org$' THEN '{PLACEHOLDER}' WHEN {{0}}.email IS NULL THEN '{NO_ADDRESS}'"""


def _person(table: str, alias: str, **parts: str) -> str:
    columns = {"tbl": f"'{table}'", "nr": f"{alias}.nr", "md5": _MD5.format(f"{alias}.written"), "email": f"{alias}.email"} | parts
    if "opposed" in columns:
        columns["opposed"] = f"coalesce({columns['opposed']}, false)"
    return f"INSERT INTO im_person ({', '.join(columns)}) SELECT {', '.join(columns.values())}"


PEOPLE_OF = "(SELECT DISTINCT ON (ext) ext, email, at, opposed, why FROM im_person WHERE tbl = '{0}' ORDER BY ext, why NULLS FIRST)"
_OF_PERSON = f"""WHEN p.ext IS NULL THEN '{NO_PERSON}' WHEN p.opposed THEN '{LEFT}' WHEN p.why IS NOT NULL AND p.why <> '{TWICE}' THEN '{NOT_TAKEN}'"""
_OF_READER = f"""WHEN p.ext IS NULL THEN '{NO_PERSON}' WHEN p.opposed OR p.why = '{LEFT}' THEN '{LEFT}' WHEN p.email IS NULL OR p.why = '{PLACEHOLDER}' THEN '{NO_ADDRESS}'"""

# --- Mailshot, Mailsubscribers, Newsletters -------------------------------------------------------------------------

IDENTIFIER = r"btrim(split_part(regexp_replace(btrim({0}), '^newsletter::', ''), '+', 1))"
MAILSHOT_LISTS = """
INSERT INTO im_list (ext, tbl, number, ident, title, description, sender_name, sender_email, opened)
SELECT 'ms:' || btrim(identifiant), 'mailsubscribinglists', id_mailsubscribinglist, btrim(identifiant), coalesce(nullif(titre_public, ''), titre, ''), coalesce(descriptif, ''), adresse_envoi_nom, adresse_envoi_email,
       statut = 'ouverte'
  FROM raw_mailsubscribinglists WHERE coalesce(statut, '') <> 'poubelle' AND btrim(coalesce(identifiant, '')) <> '' ORDER BY id_mailsubscribinglist, nr
ON CONFLICT DO NOTHING
"""
MAILSHOT_LISTS_ACCOUNT = f"""
SELECT CASE WHEN statut = 'poubelle' THEN '{IN_BIN}' WHEN btrim(coalesce(identifiant, '')) = '' THEN 'without an identifier' WHEN nth > 1 THEN 'the identifier of another row' END, count(*)
  FROM (SELECT *, row_number() OVER (PARTITION BY btrim(coalesce(identifiant, '')), coalesce(statut, '') = 'poubelle' ORDER BY id_mailsubscribinglist, nr) AS nth FROM raw_mailsubscribinglists) l GROUP BY 1
"""
OLD_LISTS = f"""
INSERT INTO im_list (ext, tbl, ident, title)
SELECT DISTINCT 'ms:' || ident, 'mailsubscribers', ident, ident FROM (
  SELECT {IDENTIFIER.format("one")} AS ident FROM raw_mailsubscribers, unnest(string_to_array(coalesce(nullif(listes, ''), 'newsletter'), ',')) one WHERE statut IN ('valide', 'prop')) o
 WHERE ident <> '' ON CONFLICT DO NOTHING
"""
"""Before Mailsubscribers 1.0: lists are what subscribers name."""
MAILSHOT_PEOPLE = (
    _person(
        "mailsubscribers", "s", ext="s.id_mailsubscriber::text", name="s.nom", lang="s.lang", consent="s.optin", at="s.date", extra="s.extra", token="s.jeton",
        opposed=f"s.statut = 'refuse' OR {_IS_MD5.format('s.written')}",
        why=f"""CASE WHEN {_IS_MD5.format("s.written")} THEN NULL {_UNFIT.format("s")} WHEN s.statut = 'poubelle' THEN '{IN_BIN}' WHEN s.statut = 'refuse' THEN NULL
                WHEN s.statut IN ('valide', 'prop') AND %(old)s OR x.n > 0 THEN NULL ELSE '{NOTHING}' END""",
    )
    + """ FROM raw_mailsubscribers s LEFT JOIN (SELECT id_mailsubscriber, count(*) AS n FROM raw_mailsubscriptions WHERE coalesce(id_segment, 0) = 0 GROUP BY 1) x USING (id_mailsubscriber) ORDER BY s.nr"""
)  # fmt: skip
MAILSHOT_MEMBERS = f"""
INSERT INTO im_member (tbl, nr, list_ext, email, state, since, until, why)
SELECT 'mailsubscriptions', x.nr, l.ext, p.email, CASE x.statut WHEN 'valide' THEN 'member' WHEN 'prop' THEN 'pending' ELSE 'left' END, coalesce(o.at, p.at, x.maj), x.maj,
       CASE WHEN x.id_segment > 0 THEN 'of a segment, which is found anew here' {_OF_PERSON} WHEN l.ext IS NULL THEN '{NO_LIST}' WHEN x.statut NOT IN ('valide', 'prop', 'refuse') OR x.statut IS NULL THEN '{UNKNOWN}' END
  FROM raw_mailsubscriptions x
  LEFT JOIN {PEOPLE_OF.format("mailsubscribers")} p ON p.ext = x.id_mailsubscriber::text
  LEFT JOIN (SELECT DISTINCT ON (number) number, ext FROM im_list WHERE tbl = 'mailsubscribinglists' ORDER BY number, ext) l ON l.number = x.id_mailsubscribinglist
  LEFT JOIN (SELECT id_mailsubscriber, id_mailsubscribinglist, max(date) AS at FROM raw_mailsubscriptions_optins WHERE statut = 'valide' GROUP BY 1, 2) o USING (id_mailsubscriber, id_mailsubscribinglist)
"""
OLD_MEMBERS = f"""
INSERT INTO im_member (list_ext, nr, email, state, since)
SELECT DISTINCT 'ms:' || {IDENTIFIER.format("one")}, p.nr, p.email, CASE s.statut WHEN 'valide' THEN 'member' ELSE 'pending' END, p.at
  FROM im_person p JOIN raw_mailsubscribers s ON s.nr = p.nr CROSS JOIN unnest(string_to_array(coalesce(nullif(s.listes, ''), 'newsletter'), ',')) one
 WHERE p.tbl = 'mailsubscribers' AND p.why IS NULL AND NOT p.opposed AND {IDENTIFIER.format("one")} <> ''
"""
OPTINS = """
UPDATE im_person p SET consent = concat_ws(E'\\n', nullif(p.consent, ''), o.said) FROM (
  SELECT id_mailsubscriber::text AS ext, string_agg(format('opt-in: list %s, %s, %s', id_mailsubscribinglist, date, statut), E'\\n' ORDER BY date, nr) AS said FROM raw_mailsubscriptions_optins GROUP BY 1) o
 WHERE p.tbl = 'mailsubscribers' AND p.ext = o.ext
"""
OPTINS_ACCOUNT = f"SELECT CASE {_OF_PERSON} END, count(*) FROM raw_mailsubscriptions_optins o LEFT JOIN {PEOPLE_OF.format('mailsubscribers')} p ON p.ext = o.id_mailsubscriber::text GROUP BY 1"
MAILSHOT_SENT = """
SELECT s.id_mailshot::text, s.sujet, s.html, s.texte, s.listes, s.from_name, s.from_email, s.statut, s.date_start, s.date, s.total, s.current, s.failed, s.nb_read, s.nb_clic, s.nb_spam, s.id, NULL, s.nr
  FROM raw_mailshots s ORDER BY coalesce(s.date_start, s.date), s.id_mailshot, s.nr
"""
MAILSHOT_COPIES = f"""
INSERT INTO im_copy (tbl, nr, mailing, email, state, attempts, at, why)
SELECT 'mailshots_destinataires', d.nr, s.mailing, d.email, CASE d.statut WHEN 'fail' THEN 3 WHEN 'todo' THEN 4 WHEN 'kill' THEN 4 ELSE 2 END, greatest(0, least(coalesce(d.try, 0), 1000)), d.date,
       CASE WHEN s.ext IS NULL THEN 'of a sending that is not there' WHEN s.mailing IS NULL THEN coalesce(s.why, '{NOT_BEGUN}') WHEN {_IS_MD5.format("d.written")} THEN '{LEFT}' {_UNFIT.format("d")}
            WHEN d.statut NOT IN ('todo', 'sent', 'fail', 'read', 'clic', 'spam', 'kill') OR d.statut IS NULL THEN '{UNKNOWN}' END
  FROM raw_mailshots_destinataires d LEFT JOIN im_sent s ON s.family = 'mailshot' AND s.ext = d.id_mailshot::text
"""
NEWSLETTERS = """
SELECT id_newsletter::text, titre, coalesce(nullif(html_email, ''), html_page), coalesce(nullif(texte_email, ''), concat_ws(E'\\n\\n', nullif(chapo, ''), nullif(texte, ''))), liste, NULL, NULL, statut, date, date,
       0, 0, 0, 0, 0, 0, id_newsletter::text, lang, nr
  FROM raw_newsletters ORDER BY date, id_newsletter, nr
"""

# --- SPIP-Listes: subscribers are authors of the site ---------------------------------------------------------------

LISTES_LISTS = """
INSERT INTO im_list (ext, tbl, number, ident, title, description, sender_email, opened, lang)
SELECT 'sl:' || id_liste, 'listes', id_liste, coalesce(nullif(titre, ''), 'liste-' || id_liste), coalesce(titre, ''), coalesce(descriptif, ''), email_envoi, statut <> 'inact', lang
  FROM raw_listes WHERE id_liste IS NOT NULL AND coalesce(statut, '') <> 'poublist' ORDER BY id_liste, nr ON CONFLICT DO NOTHING
"""
LISTES_LISTS_ACCOUNT = f"""
SELECT CASE WHEN statut = 'poublist' THEN '{IN_BIN}' WHEN id_liste IS NULL THEN 'without a number' WHEN nth > 1 THEN 'the number of another row' END, count(*)
  FROM (SELECT *, row_number() OVER (PARTITION BY id_liste, coalesce(statut, '') = 'poublist' ORDER BY nr) AS nth FROM raw_listes) l GROUP BY 1
"""
LISTES_PEOPLE = (
    _person(
        "auteurs", "s", ext="s.id_auteur::text", name="s.nom", lang="s.lang", extra="jsonb_strip_nulls(jsonb_build_object('format', f.format))", opposed=f"f.format = 'non' AND x.n > 0 OR {_IS_MD5.format('s.written')} AND x.n > 0",
        why=f"""CASE WHEN coalesce(x.n, 0) = 0 THEN 'an author of the site who is on no list of SPIP-Listes' WHEN {_IS_MD5.format("s.written")} THEN NULL {_UNFIT.format("s")} WHEN s.statut = '5poubelle' THEN '{IN_BIN}' END""",
    )
    + """ FROM raw_auteurs s LEFT JOIN (SELECT id_auteur, count(*) AS n FROM raw_auteurs_listes GROUP BY 1) x USING (id_auteur)
  LEFT JOIN (SELECT id_auteur, min(spip_listes_format) AS format FROM raw_auteurs_elargis GROUP BY 1) f USING (id_auteur) ORDER BY s.nr"""
)  # fmt: skip
LISTES_MEMBERS = f"""
INSERT INTO im_member (tbl, nr, list_ext, email, state, since, why)
SELECT 'auteurs_listes', x.nr, l.ext, p.email, CASE x.statut WHEN 'a_valider' THEN 'pending' ELSE 'member' END, x.date_inscription,
       CASE {_OF_PERSON} WHEN l.ext IS NULL THEN '{NO_LIST}' WHEN coalesce(x.statut, 'valide') NOT IN ('a_valider', 'valide') THEN '{UNKNOWN}' END
  FROM raw_auteurs_listes x LEFT JOIN {PEOPLE_OF.format("auteurs")} p ON p.ext = x.id_auteur::text LEFT JOIN im_list l ON l.ext = 'sl:' || x.id_liste
"""
LISTES_MODERATORS = """
SELECT x.nr, l.list_id, a.email, a.nom FROM raw_auteurs_mod_listes x LEFT JOIN im_list l ON l.ext = 'sl:' || x.id_liste
  LEFT JOIN (SELECT DISTINCT ON (id_auteur) id_auteur, email, nom FROM raw_auteurs WHERE coalesce(statut, '') <> '5poubelle' ORDER BY id_auteur, nr) a USING (id_auteur)
"""
LISTES_SENT = r"""
SELECT id_courrier::text, titre, regexp_replace(texte, '__bLg__.*?__bLg__', '', 'g'), regexp_replace(message_texte, '__bLg__.*?__bLg__', '', 'g'), 'sl:' || id_liste, NULL, NULL, statut, coalesce(date_debut_envoi, date),
       coalesce(date_fin_envoi, date), total_abonnes, coalesce(nb_emails_envoyes, 0) + coalesce(nb_emails_non_envoyes, 0) + coalesce(nb_emails_echec, 0), coalesce(nb_emails_non_envoyes, 0) + coalesce(nb_emails_echec, 0), 0, 0, 0, type, NULL, nr
  FROM raw_courriers ORDER BY coalesce(date_debut_envoi, date), id_courrier, nr
"""
LISTES_COPIES = f"""
INSERT INTO im_copy (tbl, nr, mailing, email, state, attempts, at, why)
SELECT 'auteurs_courriers', d.nr, s.mailing, p.email, CASE d.statut WHEN 'echec' THEN 3 WHEN 'a_envoyer' THEN 4 ELSE 2 END, 1, d.maj,
       CASE WHEN s.ext IS NULL THEN 'of a sending that is not there' WHEN s.mailing IS NULL THEN coalesce(s.why, '{NOT_BEGUN}') {_OF_READER} END
  FROM raw_auteurs_courriers d LEFT JOIN im_sent s ON s.family = 'listes' AND s.ext = d.id_courrier::text LEFT JOIN {PEOPLE_OF.format("auteurs")} p ON p.ext = d.id_auteur::text
"""

# --- SPIP-Lettres: lists are sections, 0 is the whole site ----------------------------------------------------------

LETTRES_LISTS = """
INSERT INTO im_list (ext, tbl, number, ident, title, opened, lang)
SELECT 'le:' || u.id, 'abonnes_rubriques', u.id, coalesce(nullif(t.titre, ''), nullif(r.titre, ''), CASE u.id WHEN 0 THEN 'site' ELSE 'rubrique-' || u.id END),
       coalesce(nullif(t.titre, ''), nullif(r.titre, ''), CASE u.id WHEN 0 THEN 'Tout le site' ELSE 'Rubrique ' || u.id END), true, t.lang
  FROM (SELECT id_rubrique AS id FROM raw_abonnes_rubriques UNION SELECT id_rubrique FROM raw_lettres UNION SELECT id_rubrique FROM raw_themes) u
  LEFT JOIN (SELECT DISTINCT ON (id_rubrique) id_rubrique, titre, lang FROM raw_themes ORDER BY id_rubrique, nr) t ON t.id_rubrique = u.id
  LEFT JOIN (SELECT DISTINCT ON (id_rubrique) id_rubrique, titre FROM raw_rubriques ORDER BY id_rubrique, nr) r ON r.id_rubrique = u.id
 WHERE u.id IS NOT NULL ORDER BY u.id
"""
LETTRES_PEOPLE = (
    _person(
        "abonnes", "s", ext="s.id_abonne::text", name="s.nom", token="s.code", at="s.maj", extra="jsonb_strip_nulls(jsonb_build_object('format', nullif(s.format, '')))",
        email="s.email", opposed=f"{_IS_MD5.format('s.written')}",
        why=f"""CASE WHEN {_IS_MD5.format("s.written")} THEN NULL {_UNFIT.format("s")} WHEN coalesce(x.n, 0) = 0 THEN '{NOTHING}' WHEN d.email IS NOT NULL THEN '{LEFT}' END""",
    )
    + """ FROM (SELECT b.nr, b.id_abonne, b.nom AS own, b.code, b.format, b.maj, coalesce(nullif(b.nom, ''), a.nom) AS nom, coalesce(b.email, a.email) AS email, coalesce(nullif(b.written, ''), a.written, '') AS written
          FROM raw_abonnes b LEFT JOIN (SELECT DISTINCT ON (id_auteur) id_auteur, email, written, nom FROM raw_auteurs ORDER BY id_auteur, nr) a ON b.objet = 'auteurs' AND b.id_objet = a.id_auteur) s
  LEFT JOIN (SELECT id_abonne, count(*) AS n FROM raw_abonnes_rubriques GROUP BY 1) x USING (id_abonne)
  LEFT JOIN (SELECT DISTINCT email FROM raw_desabonnes) d ON d.email = s.email ORDER BY s.nr"""
)  # fmt: skip
LETTRES_LEFT = _person("desabonnes", "s", ext="s.id_desabonne::text", opposed="true", why=f"CASE WHEN {_IS_MD5.format('s.written')} THEN NULL {_UNFIT.format('s')} END") + " FROM raw_desabonnes s ORDER BY s.nr"
LETTRES_MEMBERS = f"""
INSERT INTO im_member (tbl, nr, list_ext, email, state, since, why)
SELECT 'abonnes_rubriques', x.nr, l.ext, p.email, CASE x.statut WHEN 'a_valider' THEN 'pending' ELSE 'member' END, x.date_abonnement,
       CASE {_OF_PERSON} WHEN l.ext IS NULL THEN '{NO_LIST}' WHEN coalesce(x.statut, 'valide') NOT IN ('a_valider', 'valide') THEN '{UNKNOWN}' END
  FROM raw_abonnes_rubriques x LEFT JOIN {PEOPLE_OF.format("abonnes")} p ON p.ext = x.id_abonne::text LEFT JOIN im_list l ON l.ext = 'le:' || x.id_rubrique
"""
LETTRES_SENT = """
SELECT id_lettre::text, titre, coalesce(nullif(message_html, ''), concat_ws(E'\\n\\n', nullif(chapo, ''), nullif(texte, ''), nullif(ps, ''))), message_texte, 'le:' || id_rubrique, NULL, NULL, statut,
       coalesce(date_debut_envoi, date), coalesce(date_fin_envoi, date_debut_envoi, date), coalesce(n.total, 0), coalesce(n.total, 0), coalesce(n.failed, 0), 0, coalesce(k.clicked, 0), 0, NULL, lang, nr
  FROM raw_lettres LEFT JOIN (SELECT id_lettre, count(*) AS total, count(*) FILTER (WHERE statut = 'echec') AS failed FROM raw_abonnes_lettres GROUP BY 1) n USING (id_lettre)
  LEFT JOIN (SELECT id_lettre, count(DISTINCT id_abonne) AS clicked FROM raw_abonnes_clics GROUP BY 1) k USING (id_lettre)
 ORDER BY coalesce(date_debut_envoi, date), id_lettre, nr
"""
LETTRES_COPIES = f"""
INSERT INTO im_copy (tbl, nr, mailing, email, state, attempts, at, why)
SELECT 'abonnes_lettres', d.nr, s.mailing, p.email, CASE d.statut WHEN 'echec' THEN 3 WHEN 'envoye' THEN 2 ELSE 4 END, 1, d.maj,
       CASE WHEN s.ext IS NULL THEN 'of a sending that is not there' WHEN s.mailing IS NULL THEN coalesce(s.why, '{NOT_BEGUN}') {_OF_READER} END
  FROM raw_abonnes_lettres d LEFT JOIN im_sent s ON s.family = 'lettres' AND s.ext = d.id_lettre::text LEFT JOIN {PEOPLE_OF.format("abonnes")} p ON p.ext = d.id_abonne::text
"""

# --- CleverMail and MesAbonnés --------------------------------------------------------------------------------------

CLEVER_LISTS = """
INSERT INTO im_list (ext, tbl, number, ident, title, description, opened, sender_email)
SELECT 'cm:' || lst_id, 'cm_lists', lst_id, coalesce(nullif(lst_name, ''), 'lettre-' || lst_id), coalesce(lst_name, ''), coalesce(lst_comment, ''), coalesce(lst_moderation, '') <> 'closed', lst_moderator_email
  FROM raw_cm_lists WHERE lst_id IS NOT NULL ORDER BY lst_id, nr ON CONFLICT DO NOTHING
"""
CLEVER_LISTS_ACCOUNT = "SELECT CASE WHEN lst_id IS NULL THEN 'without a number' WHEN nth > 1 THEN 'the number of another row' END, count(*) FROM (SELECT *, row_number() OVER (PARTITION BY lst_id ORDER BY nr) AS nth FROM raw_cm_lists) l GROUP BY 1"
_CLOCK = f"CASE WHEN {{0}} BETWEEN 1 AND 7258118400 THEN to_timestamp({{0}}) AT TIME ZONE '{settings.TIME_ZONE}' END"  # until 2200
CLEVER_PEOPLE = (
    _person(
        "cm_subscribers", "s", ext="s.sub_id::text", email="s.sub_email", opposed=_IS_MD5.format("s.written"),
        why=f"CASE WHEN {_IS_MD5.format('s.written')} THEN NULL {_UNFIT.format('s').replace('s.email', 's.sub_email')} WHEN coalesce(x.n, 0) = 0 THEN '{NOTHING}' END",
    )
    + " FROM raw_cm_subscribers s LEFT JOIN (SELECT sub_id, count(*) AS n FROM (SELECT sub_id FROM raw_cm_lists_subscribers UNION ALL SELECT sub_id FROM raw_cm_pending WHERE pnd_action = 'subscribe') y GROUP BY 1) x USING (sub_id) ORDER BY s.nr"
)  # fmt: skip
CLEVER_MEMBERS = f"""
INSERT INTO im_member (tbl, nr, list_ext, email, state, since, why)
SELECT x.tbl, x.nr, l.ext, p.email, x.state, x.since, CASE WHEN x.state IS NULL THEN 'a wish to leave that was not confirmed' {_OF_PERSON} WHEN l.ext IS NULL THEN '{NO_LIST}' END
  FROM (SELECT 'cm_lists_subscribers' AS tbl, nr, lst_id, sub_id, 'member' AS state, NULL::timestamp AS since FROM raw_cm_lists_subscribers
        UNION ALL SELECT 'cm_pending', nr, lst_id, sub_id, CASE WHEN pnd_action = 'subscribe' THEN 'pending' END, {_CLOCK.format("pnd_action_date")} FROM raw_cm_pending) x
  LEFT JOIN {PEOPLE_OF.format("cm_subscribers")} p ON p.ext = x.sub_id::text LEFT JOIN im_list l ON l.ext = 'cm:' || x.lst_id
"""
CLEVER_SENT = f"""
SELECT pst_id::text, pst_subject, pst_html, pst_text, 'cm:' || lst_id, NULL, NULL, CASE WHEN pst_date_sent > 0 THEN 'envoyee' ELSE 'brouillon' END, {_CLOCK.format("pst_date_sent")},
       {_CLOCK.format("coalesce(nullif(pst_date_sent, 0), pst_date_create)")}, coalesce(n.total, 0), coalesce(n.total, 0), 0, 0, 0, 0, NULL, NULL, nr
  FROM raw_cm_posts LEFT JOIN (SELECT pst_id, count(*) AS total FROM raw_cm_posts_done GROUP BY 1) n USING (pst_id) ORDER BY coalesce(nullif(pst_date_sent, 0), pst_date_create), pst_id, nr
"""
CLEVER_COPIES = f"""
INSERT INTO im_copy (tbl, nr, mailing, email, state, attempts, at, why)
SELECT d.tbl, d.nr, s.mailing, p.email, d.state, 1, NULL,
       CASE WHEN s.ext IS NULL THEN 'of a sending that is not there' WHEN s.mailing IS NULL THEN coalesce(s.why, '{NOT_BEGUN}') {_OF_READER} END
  FROM (SELECT 'cm_posts_done' AS tbl, nr, pst_id, sub_id, 2 AS state FROM raw_cm_posts_done UNION ALL SELECT 'cm_posts_queued', nr, pst_id, sub_id, 4 FROM raw_cm_posts_queued) d
  LEFT JOIN im_sent s ON s.family = 'clever' AND s.ext = d.pst_id::text LEFT JOIN {PEOPLE_OF.format("cm_subscribers")} p ON p.ext = d.sub_id::text
"""
MES_LISTS = "INSERT INTO im_list (ext, tbl, ident, title, opened) SELECT 'ma:', 'mesabonnes', 'abonnes', 'Abonnés', true WHERE EXISTS (SELECT 1 FROM raw_mesabonnes)"
MES_PEOPLE = (
    _person("mesabonnes", "s", ext="s.id_abonne::text", name="s.nom", at="s.date_modif", opposed=_IS_MD5.format("s.written"), why=f"CASE WHEN {_IS_MD5.format('s.written')} THEN NULL {_UNFIT.format('s')} WHEN s.statut IS DISTINCT FROM 'publie' THEN '{NOTHING}' END")
    + " FROM raw_mesabonnes s ORDER BY s.nr"
)
MES_MEMBERS = "INSERT INTO im_member (list_ext, nr, email, state, since) SELECT 'ma:', nr, email, 'member', at FROM im_person WHERE tbl = 'mesabonnes' AND why IS NULL AND NOT opposed"

# --- all together ---------------------------------------------------------------------------------------------------

SETTLE = (
    # The same address twice in one table: the row that says most counts.
    f"""UPDATE im_person p SET why = '{TWICE}' FROM (SELECT tbl, nr, row_number() OVER (PARTITION BY tbl, email ORDER BY opposed, nr) AS nth FROM im_person WHERE why IS NULL AND md5 IS NULL AND email IS NOT NULL) o
         WHERE p.tbl = o.tbl AND p.nr = o.nr AND o.nth > 1""",
    # What is left of plugins before Mailsubscribers is stale wherever Mailsubscribers knows the address.
    f"""UPDATE im_person p SET why = '{NEWER}' FROM (SELECT DISTINCT coalesce(md5, md5(email)) AS md5 FROM im_person WHERE tbl = 'mailsubscribers' AND (why IS NULL OR why = '{IN_BIN}')) m
         WHERE p.tbl <> 'mailsubscribers' AND p.why IS NULL AND coalesce(p.md5, md5(p.email)) = m.md5""",
    """UPDATE im_person o SET why = 'subscribed again since' FROM im_person p WHERE o.why IS NULL AND o.md5 IS NOT NULL AND p.why IS NULL AND NOT p.opposed AND o.md5 = md5(p.email)""",
)
ACCOUNT = {
    "person": "SELECT coalesce(why, CASE WHEN before THEN 'imported before' END), count(*) FROM im_person WHERE tbl = %s GROUP BY 1",
    "member": "SELECT why, count(*) FROM im_member WHERE tbl = %s GROUP BY 1",
    "sent": "SELECT why, count(*) FROM im_sent WHERE tbl = %s GROUP BY 1",
    "copy": "SELECT why, count(*) FROM im_copy WHERE tbl = %s GROUP BY 1",
}

# --- links and clicks: totals only, who it was is not carried over --------------------------------------------------

LINKS = """
INSERT INTO campaign_link (campaign_id, url, words)
SELECT DISTINCT m.campaign_id, u.url, '' FROM (
  SELECT 'lettres' AS family, id_lettre::text AS ext, url FROM raw_clics UNION SELECT 'clever', pst_id::text, lnk_url FROM raw_cm_posts_links) u
  JOIN im_sent s ON s.family = u.family AND s.ext = u.ext JOIN mailing m ON m.id = s.mailing WHERE u.url ~ '^https?://' AND length(u.url) < 4000
ON CONFLICT DO NOTHING
"""
CLICKS = """
INSERT INTO campaign_hits (campaign_id, link, what, who, hour, n, loose)
SELECT k.campaign_id, k.id, 2, 0, date_trunc('hour', m.started), count(*), true
  FROM raw_abonnes_clics c JOIN (SELECT DISTINCT ON (id_clic, id_lettre) id_clic, id_lettre, url FROM raw_clics ORDER BY 1, 2, nr) u USING (id_clic, id_lettre)
  JOIN im_sent s ON s.family = 'lettres' AND s.ext = c.id_lettre::text JOIN mailing m ON m.id = s.mailing JOIN campaign_link k ON k.campaign_id = m.campaign_id AND k.url = u.url GROUP BY 1, 2, 5
"""
_OF_SENDING = f"CASE WHEN s.ext IS NULL THEN 'of a sending that is not there' WHEN s.mailing IS NULL THEN coalesce(s.why, '{NOT_BEGUN}') END"
COUNTED = {
    "mailsubscribinglists": MAILSHOT_LISTS_ACCOUNT,
    "mailsubscriptions_optins": OPTINS_ACCOUNT,
    "listes": LISTES_LISTS_ACCOUNT,
    "cm_lists": CLEVER_LISTS_ACCOUNT,
    "meta": "SELECT NULL, count(*) FROM raw_meta",
    "rubriques": "SELECT CASE WHEN l.ext IS NULL THEN 'a section without subscribers and letters' END, count(*) FROM raw_rubriques r LEFT JOIN im_list l ON l.ext = 'le:' || r.id_rubrique GROUP BY 1",
    "themes": "SELECT CASE WHEN l.ext IS NULL THEN 'of a section that is not there' END, count(*) FROM raw_themes r LEFT JOIN im_list l ON l.ext = 'le:' || r.id_rubrique GROUP BY 1",
    "auteurs_elargis": f"SELECT CASE {_OF_PERSON.replace('WHEN p.opposed', 'WHEN false')} END, count(*) FROM raw_auteurs_elargis x LEFT JOIN {PEOPLE_OF.format('auteurs')} p ON p.ext = x.id_auteur::text GROUP BY 1",
    "clics": f"SELECT {_OF_SENDING}, count(*) FROM raw_clics x LEFT JOIN im_sent s ON s.family = 'lettres' AND s.ext = x.id_lettre::text GROUP BY 1",
    "cm_posts_links": f"SELECT {_OF_SENDING}, count(*) FROM raw_cm_posts_links x LEFT JOIN im_sent s ON s.family = 'clever' AND s.ext = x.pst_id::text GROUP BY 1",
    "abonnes_clics": f"SELECT {_OF_SENDING}, count(*) FROM raw_abonnes_clics x LEFT JOIN im_sent s ON s.family = 'lettres' AND s.ext = x.id_lettre::text GROUP BY 1",
}
"""Accounts of the tables whose rows became something else."""
