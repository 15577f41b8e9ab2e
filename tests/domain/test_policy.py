"""Policies: inheritance, where a value comes from, and what may be written."""

import pytest

from colporteur.domain.policy import OPTIONS, SECTIONS, Layer, Leaving, Policy, Posting, changed, check_leaving, effective, holds_readers, parse, policy_of
from colporteur.domain.templates import TEMPLATES


def test_nothing_said_means_the_defaults() -> None:
    assert policy_of({}) == Policy()


def test_the_nearest_layer_wins_and_tells_what_it_hides() -> None:
    found = effective({Layer.SITE: {"prefix": "[s]"}, Layer.DOMAIN: {"prefix": "[d]"}, Layer.LIST: {"prefix": "[l]"}})["prefix"]
    assert found == ("[l]", Layer.LIST, "[d]", Layer.DOMAIN)


def test_who_vouches_for_senders_is_said_by_site_and_organisation_only() -> None:
    assert changed({}, {"trusted_servers": "MX.Example.org mx2.example.org"}, Layer.SITE)[0] == {"trusted_servers": "mx.example.org\nmx2.example.org"}
    with pytest.raises(ValueError, match="site, organisation"):
        changed({}, {"trusted_servers": "mx.evil.example"}, Layer.LIST)
    assert policy_of({Layer.ORGANISATION: {"trusted_servers": "mx.example.org"}, Layer.LIST: {"trusted_servers": "mx.evil.example"}}).trusted_servers == "mx.example.org"


def test_none_means_none_chosen_and_still_comes_from_its_layer() -> None:
    found = effective({Layer.SITE: {"footer": "f"}, Layer.LIST: {"footer": None}})["footer"]
    assert (found.value, found.origin, found.inherited) == ("", Layer.LIST, "f")


def test_a_value_nobody_can_read_inherits_instead_of_stopping_mail() -> None:
    assert policy_of({Layer.SITE: {"posting": "world"}, Layer.LIST: {"posting": "gone-in-this-version", "unknown": 1}}).posting is Posting.WORLD


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("posting", "world", Posting.WORLD), ("max_size", "5M", 5 * 1024**2), ("max_size", "20 ".strip() + "k", 20480), ("expire_days", "3", 3), ("own_copy", "non", False), ("own_copy", True, True), ("prefix", " [x] ", "[x]"), ("footer", "a\n", "a\n")],
)
def test_text_becomes_a_typed_value(name: str, text: object, value: object) -> None:
    assert parse(name, text) == value


@pytest.mark.parametrize(("name", "text"), [("posting", "x"), ("max_size", "big"), ("max_size", "0"), ("expire_days", "9999"), ("own_copy", "maybe"), ("prefix", "a\r\nBcc: x"), ("nothing", "1"), ("footer", "x" * 20_001)])
def test_wrong_text_says_what_to_write(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"must|known|longer"):
        parse(name, text)


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_every_option_is_explained(option: object) -> None:
    told = option.metadata  # type: ignore[attr-defined]
    assert told["section"] in SECTIONS and told["label"] and told["sentence"].endswith((".", "}"))


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_every_template_sets_values_that_can_be_read(template: object) -> None:
    for name, value in template.policy.items():  # type: ignore[attr-defined]
        parse(name, value)


def test_blocked_senders_are_addresses_or_domains_one_a_line() -> None:
    assert parse("blocked", " Spam@A.example, @Bücher.example;x@b.example\n\n") == "spam@a.example\n@xn--bcher-kva.example\nx@b.example"
    for wrong in ("nobody", "@", "a@b@c", "*.example"):
        with pytest.raises(ValueError, match="blocked"):
            parse("blocked", wrong)


@pytest.mark.parametrize("text", ["[a]\r\nBcc: x@y.example", "[a]\u2028", "[a]\x1b[2J"])
def test_a_prefix_is_one_line_that_can_be_printed(text: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        parse("prefix", text + "x")


def test_a_layer_changes_all_at_once_or_not_at_all() -> None:
    held = {"prefix": "[a]", "posting": "world", "of_an_older_release": 1}
    layer, different = changed(held, {"prefix": None, "posting": "world", "max_size": "5M"}, Layer.LIST)
    assert layer == {"posting": "world", "of_an_older_release": 1, "max_size": 5 * 1024 * 1024}
    assert different == {"prefix": ("[a]", None), "max_size": (None, 5 * 1024 * 1024)}
    with pytest.raises(ValueError, match=r"posting.*nonsense"):
        changed(held, {"posting": "x", "nonsense": None}, Layer.LIST)


@pytest.mark.parametrize("way", [way for way in Leaving if not way.by_oneself])
@pytest.mark.parametrize("kind", [{Layer.ORGANISATION: {"urgency": "patient"}}, {Layer.TEMPLATE: {"urgency": "patient"}}, {Layer.TEMPLATE: {"urgency": "patient"}, Layer.LIST: {"urgency": "prompt"}}])
def test_a_newsletter_can_always_be_left(way: Leaving, kind: dict[Layer, dict[str, str]]) -> None:
    layers = {**kind, Layer.SITE: {"leaving": way.value}}
    assert holds_readers(layers) and policy_of(layers).leaving is Leaving.CONFIRM
    with pytest.raises(ValueError, match="open, confirm"):
        check_leaving(layers)
    assert policy_of({Layer.SITE: {"leaving": way.value}}).leaving is way


def test_no_shipped_template_holds_its_readers_and_the_word_used_before_is_read() -> None:
    assert not any(holds_readers({Layer.TEMPLATE: template.policy}) for template in TEMPLATES.values())
    assert parse("leaving", "free") is Leaving.CONFIRM
