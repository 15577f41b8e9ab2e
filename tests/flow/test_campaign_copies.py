"""Each copy of a newsletter is filled in with what is known of its reader when it leaves."""

from __future__ import annotations

import email
import email.policy
from datetime import timedelta

import pytest
from django.utils import timezone

from colporteur.daemons.personal import PersonalHeld
from colporteur.domain.campaigns import Editor
from colporteur.domain.words import Invalid
from colporteur.flow import campaigns, copies, planning
from colporteur.flow.campaigns import readers
from colporteur.flow.campaigns.composing import compiled
from colporteur.mail.campaigns.message import Personal
from colporteur.store.campaigns import Campaign
from colporteur.store.lists import List
from colporteur.store.mailings import Copy, Mailing, Refusal
from colporteur.store.people import Address, Person
from colporteur.store.segments import Attribute, Details
from colporteur.store.standing import AddressStanding, DeliveryEvent
from tests.story.scenes import a_list, a_transport, join

NOW = timezone.now()


@pytest.fixture
def news(db: None) -> List:
    """Anna, who speaks French and lives in Brest, and ben, of whom nothing is known."""
    a_transport("smtp://127.0.0.1:9")
    list_ = a_list("news@lists.example", template="newsletter", title="Infos", language="en", members=["anna@x.example", "ben@x.example"])
    anna = Address.objects.get(email="anna@x.example")
    Address.objects.filter(pk=anna.pk).update(person=Person.objects.create(name="Anna Le Goff", language="fr"))
    for key in ("city", "boxes"):
        Attribute.objects.create(list=list_, key=key, label=key)
    Details.objects.create(list=list_, address=anna, values={"city": "Brest", "boxes": 2})
    return list_


def a_campaign(list_: List, source: str, **more: object) -> Campaign:
    return campaigns.create(list_, NOW, by="test", subject="For {{ first_name }}", editor=Editor.TEXT, source=source, **more)


def claimed(mailing: Mailing | None) -> list[PersonalHeld]:
    """The slices of a mailing as a lane holds them."""
    assert mailing
    while planning.plan_due(timezone.now()):
        pass
    mailing.refresh_from_db()
    works = copies.claim(mailing.transport_id or 0, timezone.now(), 300)
    return [PersonalHeld(work.slice, work.copies, copies.message_of(mailing.pk), 1e12, readers=work.readers or {}) for work in works]


def sent(held: PersonalHeld) -> dict[str, str]:
    """The text of each copy, and its subject."""
    found = {}
    for due in held.left:
        message = email.message_from_bytes(held.wire(due, held.tokens[due.address]), policy=email.policy.default)
        body = message.get_body(("plain",))
        assert body
        found[due.email.partition("@")[0]] = f"{message['Subject']}: {body.get_content().split('-- ')[0].strip()}"
    return found


def test_copies_say_what_is_known_when_they_leave(news: List) -> None:
    mailing = campaigns.start(a_campaign(news, "{{ name }}, {{ city|default('?') }}, {{ lang }}, {{ lists }}, {{ status }}").pk, NOW, "test")
    join(a_list("other@lists.example", title="Autre"), ["anna@x.example"])
    Details.objects.update(values={"city": "Quimper"})  # after it was started
    [held] = claimed(mailing)
    assert sent(held) == {"anna": "For Anna: Anna Le Goff, Quimper, fr, Infos, Autre, on", "ben": "For ben@x.example: ben@x.example, ?, en, Infos, on"}


def test_what_no_copy_asks_for_is_not_looked_up(news: List, django_assert_num_queries: object) -> None:
    mailing = campaigns.start(a_campaign(news, "Hello {{ name }}").pk, NOW, "test")
    asked = [readers.Asked(1, "a@b.example", "A")]
    assert mailing
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert readers.for_copies(mailing.pk, asked) == {1: {"email": "a@b.example", "name": "A"}}


def test_the_links_of_a_copy_are_its_own(news: List) -> None:
    mailing = campaigns.start(a_campaign(news, "{{ url_unsubscribe }} {{ url_preferences }} {{ url_web }}").pk, NOW, "test")
    [held] = claimed(mailing)
    tokens = {due.email.partition("@")[0]: held.tokens[due.address] for due in held.left}
    for who, said in sent(held).items():
        assert all(f"/{page}/{tokens[who]}" in said for page in "upn")


def test_a_list_reached_by_another_brings_its_own_attributes(news: List) -> None:
    other = a_list("second@lists.example", template="newsletter", members=["dora@x.example"])
    Attribute.objects.create(list=other, key="shoe", label="shoe")
    Details.objects.create(list=other, address=Address.objects.get(email="dora@x.example"), values={"shoe": 41})
    campaign = campaigns.create(news, NOW, by="test", subject="s", editor=Editor.TEXT, source="{{ shoe|default('-') }}{{ city|default('-') }}")
    campaigns.address_to(campaign.pk, campaign.version, NOW, "test", to=[news, other])
    assert readers.attributes_of(campaign) == ("boxes", "city", "shoe")
    [held] = claimed(campaigns.start(campaign.pk, NOW, "test"))
    assert {who: said.split()[-1] for who, said in sent(held).items()} == {"anna": "-Brest", "ben": "--", "dora": "41-"}


def test_a_reader_is_previewed_with_the_same_values(news: List) -> None:
    campaign = a_campaign(news, "{{ name }} {{ city }} {{ status }} {{ url_web }}")
    anna, stranger = Address.objects.get(email="anna@x.example"), Address.objects.create(email="zoe@x.example", name="Zoé")
    assert compiled(campaign).render(readers.values_of(campaign, anna, token="t"))[2].startswith("Anna Le Goff Brest on http://") and "/n/t" in compiled(campaign).render(readers.values_of(campaign, anna, token="t"))[2]
    assert compiled(campaign).render(readers.values_of(campaign, stranger))[2].startswith("Zoé  off ")


def test_a_test_is_filled_in_for_whom_it_goes_to(news: List) -> None:
    [mailing] = campaigns.test(a_campaign(news, "{{ city }}"), ["anna@x.example"], NOW, "test")
    [held] = claimed(mailing)
    assert sent(held) == {"anna": "[TEST] For Anna: Brest"}


def test_fields_nobody_knows_keep_a_newsletter_from_starting(news: List) -> None:
    with pytest.raises(Invalid, match="no field called “town”"):
        campaigns.start(a_campaign(news, "{{ town }}").pk, NOW, "test")


def test_a_copy_that_cannot_be_filled_in_fails_alone_and_nobody_is_blamed(news: List) -> None:
    mailing = campaigns.start(a_campaign(news, "{{ boxes + 1 if boxes else 0 }}").pk, NOW, "test")
    Details.objects.update(values={"boxes": "several"})
    [held] = claimed(mailing)
    assert mailing and isinstance(held.message.prepared, Personal) and held.prepares
    anna, ben = sorted(held.left, key=lambda due: due.email)
    with pytest.raises(Invalid) as error:
        held.ahead(anna, 0)
    assert held.ahead(ben, 0) == b"" and held.made and b"\r\n\r\n0=\r\n" in held.wire(ben, held.tokens[ben.address]) and not held.made
    assert copies.refused(held.claimed, [copies.incomplete(anna.address, error.value)], timezone.now() + timedelta(seconds=1), lambda: 0.0)
    assert Copy.objects.get(mailing=mailing, address=anna.address).state == 3
    assert Refusal.objects.get(mailing_id=mailing.pk).text == "5.6.5 copy not completed: “several” is no number"
    assert DeliveryEvent.objects.get().reason == "incomplete" and not AddressStanding.objects.exists()
