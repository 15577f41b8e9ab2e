"""Organisations and domains."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from colporteur.flow import organisations
from colporteur.store.models import Domain, JournalEntry, Organisation

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_the_first_domain_makes_the_default_organisation_and_the_second_joins_it() -> None:
    first = organisations.add_domain("Saule.EXAMPLE.", None, NOW, by="test")
    second = organisations.add_domain("bücher.example", None, NOW, by="test")
    assert (first.name, second.name) == ("saule.example", "xn--bcher-kva.example")
    assert first.organisation == second.organisation == Organisation.objects.get()


def test_an_organisation_is_made_once_by_its_name() -> None:
    assert organisations.organisation_called(" Les  Paniers ") == organisations.organisation_called("Les Paniers")
    with pytest.raises(ValueError, match="needs a name"):
        organisations.organisation_called(" \x00")


@pytest.mark.parametrize("name", ["", "localhost", "a@saule.example", "sau le.example", "..", "saule.example\r\nx", "-" * 300 + ".example"])
def test_what_is_no_domain_is_refused_with_what_to_write(name: str) -> None:
    with pytest.raises(ValueError, match=r"lists\.example\.org"):
        organisations.add_domain(name, None, NOW, by="test")
    assert not Domain.objects.exists() and not Organisation.objects.exists()


def test_a_domain_is_added_once() -> None:
    organisations.add_domain("saule.example", organisations.organisation_called("Les Paniers"), NOW, by="test")
    with pytest.raises(ValueError, match=r"there already, with the organisation Les Paniers"):
        organisations.add_domain("SAULE.example", None, NOW, by="test")


def test_switching_off_and_on_is_journaled_once_each() -> None:
    domain = organisations.add_domain("saule.example", None, NOW, by="test")
    assert organisations.disable(domain, NOW, by="test") and not organisations.disable(domain, NOW, by="test")
    assert organisations.find_domain("saule.example").enabled is False
    assert organisations.enable(domain, NOW, by="test")
    assert list(JournalEntry.objects.order_by("id").values_list("event", flat=True)) == ["domain.added", "domain.off", "domain.on"]


def test_an_unknown_domain_is_said_to_be_unknown() -> None:
    with pytest.raises(ValueError, match=r"no domain nowhere\.example"):
        organisations.find_domain("nowhere.example")


def test_a_new_organisation_speaks_the_sites_language(settings: object) -> None:
    settings.LANGUAGE_CODE = "fr"
    assert organisations.default_organisation().language == "fr"
    assert organisations.organisation_called("Others", language="en").language == "en"
