"""Foreign files are read as they are written, in any pieces, without executing anything of them."""

from __future__ import annotations

import contextlib
import io
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colporteur.domain.imports import mysql, php, spip, tables, texts
from colporteur.domain.imports.tables import State
from tests.flow.dumps import dump, serialised

ODD = rb"""/* nothing
 ; */ CREATE TABLE IF NOT EXISTS `spip_x` (`id` bigint(21) DEFAULT '0', `t` varchar(10) COMMENT 'a, b) ;', e enum('a','b'), PRIMARY KEY (`id`), KEY `t` (`t`));
DELIMITER ;;
CREATE TRIGGER x BEFORE INSERT ON y FOR EACH ROW BEGIN INSERT INTO spip_x VALUES (99,'','') ; END ;;
DELIMITER ;
INSERT IGNORE INTO `base`.`spip_x` VALUES (1,'it''s; \'x\'\n -- no (','a'),(2,NULL,_binary 'z'),(3,0x4142,'b'), (4,NOW(),CONCAT('a)','b')),(5,X'43',DEFAULT);
INSERT INTO `other` VALUES (1,'INSERT INTO `spip_x` VALUES (9,9,9);');
REPLACE INTO spip_x (id, `t`) VALUES (6,'\\'),(7)"""


def read(raw: bytes, size: int = 1 << 20) -> tuple[list[list[bytes | None]], int]:
    source = io.BytesIO(raw)
    found = list(mysql.rows(lambda most: source.read(min(size, most)), lambda table: table == "spip_x"))
    return [row for one in found for row in one.values], sum(one.unreadable for one in found)


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1 << 20])
def test_rows_of_a_dump_in_pieces_of_any_size(size: int) -> None:
    rows, unreadable = read(ODD, size)
    assert rows == [[b"1", b"it's; 'x'\n -- no (", b"a"], [b"2", None, b"z"], [b"3", b"AB", b"b"], [b"5", b"C", None], [b"6", b"\\"]]
    assert unreadable == 2, "a function and a row that is too short"


@given(st.lists(st.tuples(st.text(max_size=20), st.one_of(st.none(), st.binary(max_size=5), st.integers())), max_size=8), st.integers(1, 40), st.booleans())
def test_whatever_is_written_is_read(values: list[tuple[str, object]], size: int, admin: bool) -> None:
    rows, unreadable = read(dump({"x": ("a b", values)}, admin=admin), size)
    wanted = [[text.encode(), None if value is None else value if isinstance(value, bytes) else str(value).encode()] for text, value in values]
    assert rows == wanted and not unreadable


@pytest.mark.parametrize("raw", [b"INSERT INTO spip_x (a) VALUES ('never closed", b"INSERT INTO spip_x (a) VALUES (1), (2", b"CREATE TABLE spip_x (a int", b"INSERT INTO spip_x VALUES (1);"])
def test_a_dump_that_is_cut_off_or_names_no_columns_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|names no columns"):
        read(raw)


def test_memory_does_not_grow_with_the_file() -> None:
    largest = 0

    def piece(most: int) -> bytes:
        nonlocal largest
        largest = max(largest, most)
        return source.read(most)

    row = b"INSERT INTO `spip_other` VALUES (1,'" + b"x" * 1000 + b"');\n"
    source = io.BytesIO(row * 8000)
    assert list(mysql.rows(piece, lambda table: False)) == [] and largest == mysql.CHUNK


PHP = st.recursive(st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=10).map(lambda text: text.replace("\x00", "")), lambda inner: st.dictionaries(st.integers(0, 99) | st.sampled_from(["clé", "a;b", '"']), inner, max_size=4), max_leaves=10)


@given(PHP)
def test_phps_values_are_read(value: object) -> None:
    assert php.read(serialised(value)) == value


@given(st.text(alphabet='aOCRrisbdN:;{}"0123456789-', max_size=40))
def test_anything_else_is_refused_and_nothing_else_happens(text: str) -> None:
    with contextlib.suppress(php.NotPlain):
        php.read(text)


@pytest.mark.parametrize("bad", ['O:8:"stdClass":0:{}', 'C:1:"a":0:{}', "R:1;", "a:99999999:{", "a:1:{i:0;" * 60, 's:9999999999:"";', "i:1;i:2;", "d:x;"])
def test_objects_references_and_bombs_are_refused(bad: str) -> None:
    with pytest.raises(php.NotPlain):
        php.read(bad)


def test_lengths_of_a_converted_database_are_those_of_its_old_encoding() -> None:
    assert php.read('s:4:"été€";'.replace("4", "4")) == "été€" and php.read('s:8:"été€";') == "été€"


@pytest.mark.parametrize(("raw", "meant"), [("été".encode(), "été"), ("été".encode("cp1252"), "été"), ("Ã©tÃ© dâ€™hiver".encode(), "été d’hiver"), (b"abc\x00", "abc"), ("Ã la carte".encode(), "Ã la carte"), (b"\x81\xe9", "\x81é")])
def test_texts_of_any_encoding(raw: bytes, meant: str) -> None:
    assert texts.decoded(raw) == meant


def test_moments_and_numbers() -> None:
    assert [texts.moment(text) for text in ("0000-00-00 00:00:00", "2024-02-30 00:00:00", "2024-02-28 10:00:00", "2024-02-28", "x'; --")] == [None, None, "2024-02-28 10:00:00", "2024-02-28 00:00:00", None]
    assert [texts.number(text) for text in ("12", "-1", "1e9", "9" * 30, "")] == ["12", "-1", None, None, None]


def test_prefixes_are_those_of_tables_only_newsletters_have() -> None:
    assert spip.split("spip_auteurs_listes") == ("spip_", "auteurs_listes") and spip.split("x_mailshot_destinataires") == ("x_", "mailshot_destinataires") and spip.split("spip_articles") is None
    found = [("spip_", "mailsubscribers", {"email", "optin"}), ("wp_", "listes", {"id"})]
    assert spip.prefix_of(found, None) == "spip_"
    with pytest.raises(ValueError, match="no tables"):
        spip.prefix_of(found[1:], None)


SHEETS = {
    "Mailchimp": ('Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,LEID,City\n"a@x.example",Anna,Rivière,2,"2013-05-06 12:14:22",192.0.2.7,"2013-05-06 12:15:00",1,Rennes\n', State.MEMBER, "Anna Rivière", {"city": "Rennes"}),
    "Mailchimp, unsubscribed": ("Email Address,UNSUB_TIME,OPTIN_TIME\na@x.example,2014-01-01 10:00:00,2013-05-06 12:14:22\n", State.LEFT, "", {}),
    "Mailchimp, cleaned": ("Email Address,CLEAN_TIME\na@x.example,2014-01-01 10:00:00\n", State.BOUNCED, "", {}),
    "Brevo": ("EMAIL;LASTNAME;FIRSTNAME;EMAIL_BLACKLISTED;ADDED_TIME\na@x.example;R;Anna;yes;06/05/2013 12:14\n", State.OPPOSED, "Anna R", {}),
    "listmonk": ('uuid,email,name,attributes,status,created_at\nu,a@x.example,Anna,"{""city"": ""Rennes"", ""n"": [1]}",enabled,2013-05-06T10:15:00Z\n', State.MEMBER, "Anna", {"city": "Rennes"}),
    "listmonk, blocklisted": ("email,name,status\na@x.example,,blocklisted\n", State.OPPOSED, "", {}),
    "Sendy": ("Name,Email,Joined,Status\nAnna,a@x.example,1367835300,Unconfirmed\n", State.PENDING, "Anna", {}),
    "phpList": ("email,confirmed,blacklisted,entered\na@x.example,0,0,2013-05-06 12:14:22\n", State.PENDING, "", {}),
    "Keila": ("Email,First name,Last name,Data,Status,External ID\na@x.example,A,B,,unreachable,\n", State.BOUNCED, "A B", {}),
    "SPIP": ("email\tnom\tlang\tlistes\tstatut\tdate\na@x.example\tAnna\tfr\tnewsletter\tvalide\t2013-05-06 12:15:00\n", State.MEMBER, "Anna", {}),
    "somebody's own": ("Courriel;Prénom;Nom;État\na@x.example;Anna;R;désabonné\n", State.LEFT, "Anna R", {}),
}


@pytest.mark.parametrize("tool", list(SHEETS))
def test_the_files_of_newsletter_tools(tool: str) -> None:
    text, state, name, extra = SHEETS[tool]
    found = next(tables.subscribers(tables.sheet(text, {}), ZoneInfo("Europe/Paris"), []))
    assert (found.email, found.state, found.name, found.extra) == ("a@x.example", state, name, extra)
    assert tool not in ("Mailchimp", "listmonk", "Sendy", "SPIP") or found.since == "2013-05-06 12:15:00", "of any clock"


def test_columns_nobody_guesses_are_named() -> None:
    found = tables.sheet("Contact;Ville;x\na@x.example;Rennes;1\n", {"contact": "email", "Ville": "city", "x": "-"})
    assert found.columns == {"email": 0} and found.extra == {"city": 1}
    with pytest.raises(ValueError, match="--map"):
        tables.sheet("Contact;Ville\na;b\n", {})
    with pytest.raises(ValueError, match="no column 'y'"):
        tables.sheet("email\n", {"y": "name"})
