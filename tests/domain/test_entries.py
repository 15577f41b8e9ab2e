"""Members as people write them down. A file is foreign: nothing in it may raise, get lost or swallow its neighbours."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colporteur.domain import entries
from colporteur.domain.entries import NAME_LENGTH, Entries, Entry, decode, display_name, of_lines, of_pairs, read


def taken(text: str) -> list[tuple[str, str]]:
    return [(entry.email, entry.name) for entry in read(text).taken]


@pytest.mark.parametrize(
    ("line", "email", "name"),
    [
        ("anna@courriel.example", "anna@courriel.example", ""),
        ("Anna@Courriel.EXAMPLE Anna Rivoire", "anna@courriel.example", "Anna Rivoire"),
        ("  anna@courriel.example\tAnna   Rivoire  ", "anna@courriel.example", "Anna Rivoire"),
        ("Anna Rivoire <anna@courriel.example>", "anna@courriel.example", "Anna Rivoire"),
        ('"Rivoire, Anna" <anna@courriel.example>', "anna@courriel.example", "Rivoire, Anna"),
        ("<anna@courriel.example>", "anna@courriel.example", ""),
        ("anna@courriel.example; Anna", "anna@courriel.example", "Anna"),
        ("anna@courriel.example,", "anna@courriel.example", ""),
        ("anna@bücher.example Anna", "anna@xn--bcher-kva.example", "Anna"),
        ("o'brien+lists@courriel.example Seán O'Brien", "o'brien+lists@courriel.example", "Seán O'Brien"),
    ],
)
def test_one_per_line(line: str, email: str, name: str) -> None:
    assert taken(line) == [(email, name)]


def test_empty_lines_and_comments_count_as_lines_and_as_nothing_else() -> None:
    read_ = read("# the committee\n\nanna@courriel.example\r\n   \nnot an address\rmarc@courriel.example")
    assert [(entry.line, entry.email) for entry in read_.taken] == [(3, "anna@courriel.example"), (6, "marc@courriel.example")]
    assert [(bad.line, bad.text) for bad in read_.refused] == [(5, "not an address")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("email,name\nanna@a.example,Anna\n", [("anna@a.example", "Anna")]),
        ("Nom;Prénom;Adresse e-mail\nRivoire;Anna;anna@a.example\n", [("anna@a.example", "Anna Rivoire")]),
        ("name\temail\nAnna\tanna@a.example", [("anna@a.example", "Anna")]),
        ('"E-mail";"Nom"\r\n"anna@a.example";"Rivoire; Anna"\r\n', [("anna@a.example", "Rivoire; Anna")]),
        ('email,name\nanna@a.example,"Anna ""Nana"" Rivoire"', [("anna@a.example", 'Anna "Nana" Rivoire')]),
        ('email,name\nanna@a.example,"Anna\nRivoire"\nmarc@a.example,Marc', [("anna@a.example", "Anna Rivoire"), ("marc@a.example", "Marc")]),
        ("email\nanna@a.example\nmarc@a.example", [("anna@a.example", ""), ("marc@a.example", "")]),
        ("adresse;courriel;nom\n3 rue du Saule;anna@a.example;Anna", [("anna@a.example", "Anna")]),
        ("id;email\n1;Anna <anna@a.example>", [("anna@a.example", "Anna")]),
        ("email,name\nanna@a.example", [("anna@a.example", "")]),
        ("email;size\nanna@a.example;5\" disk\nmarc@a.example;3\" disk", [("anna@a.example", ""), ("marc@a.example", "")]),
        ("\n\nEMAIL;NAME\nanna@a.example;Anna", [("anna@a.example", "Anna")]),
    ],
)
def test_csv_with_a_header(text: str, expected: list[tuple[str, str]]) -> None:
    assert taken(text) == expected
    assert not read(text).refused


def test_a_quote_that_never_closes_costs_its_own_line_only() -> None:
    people = [f"p{number}@a.example" for number in range(100)]
    rows = [f"{email};x" for email in people]
    rows[10] = '"p10@a.example;x'
    read_ = read("email;name\n" + "\n".join(rows))
    assert [entry.email for entry in read_.taken] == [email for email in people if email != "p10@a.example"]
    assert [(bad.line, bad.reason) for bad in read_.refused] == [(12, "a quotation mark is opened and never closed")]


def test_a_row_without_an_address_is_told_by_its_line() -> None:
    read_ = read("name,email\nAnna,\nMarc,marc@a.example\nOdile,odile at a.example")
    assert [entry.line for entry in read_.taken] == [3]
    assert [(bad.line, bad.text) for bad in read_.refused] == [(2, "Anna,"), (4, "Odile,odile at a.example")]
    assert read_.refused[0].reason == "there is no address on this line"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_accents_survive_every_encoding_spreadsheets_write(encoding: str) -> None:
    text = "nom;prénom;courriel\r\nGuivarc'h;Solène;solene@etu.example\r\n"
    assert taken(decode(text.encode(encoding))) == [("solene@etu.example", "Solène Guivarc'h")]


@given(st.binary(max_size=2000))
def test_no_bytes_raise_and_nothing_that_is_read_harms(raw: bytes) -> None:
    text = decode(raw)
    text.encode()  # no surrogates: it can be stored
    for entry in read(text).taken:
        assert entry.name.isprintable() and "\x00" not in entry.email


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" ;,@\"<>")), max_size=30))
def test_every_line_that_says_something_is_taken_or_told(lines: list[str]) -> None:
    read_ = of_lines(lines)
    said = [number for number, line in enumerate(lines, 1) if line.strip() and not line.strip().startswith("#")]
    assert sorted([entry.line for entry in read_.taken] + [bad.line for bad in read_.refused]) == said


NAMES = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=40)


@settings(deadline=None)
@given(st.lists(st.tuples(st.from_regex(r"[a-z0-9]{1,12}@[a-z]{1,9}\.example", fullmatch=True), NAMES), min_size=1, max_size=30), st.sampled_from(";,\t"), st.sampled_from(["\n", "\r\n"]))
def test_what_a_spreadsheet_writes_is_read_back_whole(rows: list[tuple[str, str]], delimiter: str, end: str) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, lineterminator=end)
    writer.writerows([("email", "name"), *rows])
    read_ = read(written.getvalue())
    assert not read_.refused
    assert [(entry.email, entry.name) for entry in read_.taken] == [(email, display_name(name)) for email, name in rows]


@pytest.mark.parametrize("text", ["\x1b[31mAnna", "Anna\u202eevil", "An\x00na", "Anna\nBcc: x@y.example", "A" * 1000, "\ud800Anna", " \t"])
def test_a_name_can_neither_break_a_header_nor_turn_the_screen(text: str) -> None:
    name = display_name(text)
    assert name.isprintable() and len(name) <= NAME_LENGTH
    name.encode()


def test_formulas_stay_text_and_addresses_stay_addresses() -> None:
    read_ = read('email,name\n=cmd()@a.example,"=HYPERLINK(""x"")"\n@a.example,x\na@,x')
    assert [bad.line for bad in read_.refused] == [2, 3, 4]


def test_pairs_are_numbered_from_one() -> None:
    assert of_pairs([("bad", ""), ("anna@a.example", "Anna")]) == Entries([Entry(2, "anna@a.example", "Anna")], [(1, "'bad' is not an e-mail address: write name@example.org", "bad")])


@pytest.mark.parametrize("text", ["email;name\n" + "p@a.example;\"x\n" * 100_000, "\n".join(f"p{n}@a.example Name {n}" for n in range(100_000)), '"' * 200_000, "a" * 500_000])
def test_a_hundred_thousand_lines_take_seconds(text: str) -> None:
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 60, "what grows with the square of a text would take far longer, whatever the machine"


def test_columns_one_names_oneself() -> None:
    text = "N°;Nom;Prénom;Contact\n1;Perrin;Odile;odile@a.example\n2;;;pas une adresse\n"
    found = entries.table(text)
    assert found and found.columns is None and found.delimiter == ";" and found.rows[0] == ["N°", "Nom", "Prénom", "Contact"]
    read = entries.read(text, entries.Columns(email=3, first_name=2, last_name=1))
    assert read.taken == [entries.Entry(2, "odile@a.example", "Odile Perrin")] and [line.line for line in read.refused] == [3]
    bare = entries.read("Odile;odile@a.example\nMarc;marc@a.example\n", entries.Columns(email=1, name=0, head=False))
    assert [(entry.line, entry.name) for entry in bare.taken] == [(1, "Odile"), (2, "Marc")]


def test_one_column_is_no_table() -> None:
    assert entries.table("anna@a.example Anna\n") is None and entries.table("") is None


def test_a_column_says_how_members_receive_and_a_wrong_word_refuses_its_line() -> None:
    read_ = read("email;name;delivery\nanna@a.example;Anna;daily-plain\nbea@a.example;Bea;\ncarl@a.example;Carl;hourly\n")
    assert [(entry.email, entry.delivery) for entry in read_.taken] == [("anna@a.example", "daily-plain"), ("bea@a.example", "")]
    assert [line.line for line in read_.refused] == [4] and "daily-mime" in read_.refused[0].reason
