"""A mailing's page: copies counted by destination, on demand."""

from __future__ import annotations

from django.utils import timezone

from colporteur.domain.mailings import CopyState
from colporteur.flow import mailings, memberships
from colporteur.flow.planning import plan_due
from colporteur.store.mailings import Copy, Mailing
from tests.web.conftest import World, signed_in, write_to


def _planned(world: World) -> Mailing:
    memberships.add(world.list, [(f"a@d{n}.example", "") for n in range(9)], timezone.now(), by="test")
    write_to(world.list, "anna.rivoire@courriel.example", "Anna Rivoire", "Paniers")
    plan_due(timezone.now())
    return Mailing.objects.get(post__isnull=False)


def test_destinations_add_up_to_the_totals(world: World) -> None:
    mailing = _planned(world)
    Copy.objects.filter(mailing=mailing, address__email="a@d0.example").update(state=CopyState.FAILED)
    found = mailings.destinations(mailing.pk)
    assert sum(totals.total for _domain, totals in found) == mailings.totals(mailing.pk).total
    assert [totals.total for _domain, totals in found] == sorted((totals.total for _domain, totals in found), reverse=True)
    assert dict(found)["d0.example"].counts == {"queued": 0, "sent": 0, "deferred": 0, "failed": 1, "cancelled": 0}


def test_the_six_largest_destinations_are_shown_when_asked_for(world: World) -> None:
    page = f"/sending/{_planned(world).pk}/"
    owner = signed_in(world.owner, "fr")
    asked, unasked = owner.get(page + "?destinations=1").content.decode(), owner.get(page).content.decode()
    assert "Compter par domaine" in unasked and "autres domaines" not in unasked
    assert "courriel.example" in asked and "7 autres domaines" in asked
    for person in (world.member, world.moderator, world.stranger):
        assert signed_in(person).get(page + "?destinations=1").status_code == 404


def test_the_journal_says_settings_in_words(world: World) -> None:
    body = signed_in(world.owner, "fr").get(f"/lists/{world.list.pk}/activity").content.decode()
    said = " ".join("".join(line for line in body.split("<li>") if "Réglages modifiés" in line).split())
    assert "Taille d’un message : — → 5 Mo" in said and "max_size" not in said, said
