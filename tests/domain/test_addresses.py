"""Addresses: normal form, list names, and what a recipient may mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colporteur.domain.addresses import Reading, Service, is_address, list_name, normal, readings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Anna@Example.ORG ", "anna@example.org"),
        ("o'neil+tag@example.org", "o'neil+tag@example.org"),
        ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
        ("a@localhost", "a@localhost"),
    ],
)
def test_the_normal_form_is_lower_case_with_an_ascii_domain(text: str, expected: str) -> None:
    assert normal(text) == expected


@pytest.mark.parametrize("text", ["", "a", "@b", "a@", "a b@c.d", "a@b c", "a@b\r\nRCPT TO:<x@y>", "a@b,c@d", "<a@b>", "a@@b", ".a@b.c", "a..b@c.d", "a@b..c", "x" * 65 + "@b.c", "a\x00@b.c", "a@[127.0.0.1]"])
def test_what_cannot_be_sent_to_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|octets|domain"):
        normal(text)


@given(st.text())
def test_no_text_breaks_it_and_the_normal_form_is_stable(text: str) -> None:
    if is_address(text):
        assert normal(normal(text)) == normal(text)
        assert not any(ord(character) < 33 for character in normal(text))


@pytest.mark.parametrize("name", ["amapiens", "a", "lettre-du-saule", "x.y_z9"])
def test_plain_names_are_taken(name: str) -> None:
    assert list_name(name.upper()) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "a..b", "a b", "a+b", "é", "postmaster", "b", "lists", "x-owner", "x-request", "club-leave", "y" * 41])
def test_names_like_service_addresses_are_refused(name: str) -> None:
    with pytest.raises(ValueError):
        list_name(name)


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("club@d.example", Reading("club@d.example", Service.POST)),
        ("Club-Owner@d.example", Reading("club@d.example", Service.OWNER)),
        ("club-join@d.example", Reading("club@d.example", Service.SUBSCRIBE)),
        ("club-leave@d.example", Reading("club@d.example", Service.UNSUBSCRIBE)),
        ("club-bounces+abc@d.example", Reading("club@d.example", Service.BOUNCES, "abc")),
        ("club-moderate+abc@d.example", Reading("club@d.example", Service.MODERATE, "abc")),
        ("b+abc@d.example", Reading("@d.example", Service.BOUNCES, "abc")),
        ("lists@d.example", Reading("@d.example", Service.REQUEST)),
        ("club+abc@d.example", Reading("club@d.example", Service.POST, "abc")),
    ],
)
def test_a_recipient_reads_as_a_service_of_its_list(recipient: str, expected: Reading) -> None:
    assert expected in readings(recipient)


def test_a_list_whose_name_looks_like_a_service_address_comes_first() -> None:
    assert readings("x-owner@d.example")[0] == Reading("x-owner@d.example", Service.POST)
