"""Transports: added with a sealed URL, and their health."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from colporteur.flow import lists, organisations, people, transports
from colporteur.store.models import Address, Copy, JournalEntry, Mailing
from colporteur.store.transports import Transport

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
URL = "smtp://relay:s3cret%40x@smtp.example:587?tls=starttls"


def test_the_password_is_sealed_at_rest_and_hidden_on_screens() -> None:
    made = transports.add("Relay", URL, NOW)
    assert "s3cret" not in "".join(str(value) for value in Transport.objects.values_list("name", "kind", "url_sealed", "traits", "last_error").get())
    assert transports.url_of(made) == URL
    assert transports.shown(made) == "smtp://relay@smtp.example:587?tls=starttls"
    assert "s3cret" not in str(list(JournalEntry.objects.values_list("values", flat=True)))


def test_the_first_one_is_the_default_of_its_place() -> None:
    ours = organisations.organisation_called("Ours")
    made = [transports.add("a", URL, NOW), transports.add("b", URL, NOW), transports.add("c", URL, NOW, ours), transports.add("d", URL, NOW, ours)]
    assert [transport.is_default for transport in made] == [True, False, True, False]
    transports.make_default(made[1], NOW, by="test")
    assert list(Transport.objects.filter(is_default=True).order_by("id").values_list("name", flat=True)) == ["b", "c"]
    assert [transport.name for transport in transports.listed(ours)] == ["d", "c", "b", "a"]
    assert [transport.name for transport in transports.listed(organisations.organisation_called("Others"))] == ["b", "a"]


@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        ("x", "pigeon://loft.example", "no kind of transport"),
        ("x", "", "no kind of transport"),
        ("x", "smtp://", "needs a host"),
        ("x", "smtp://relay.example:99999", "not a transport's URL"),
        ("x", "smtp://relay.example?tls=maybe", "tls must be one of"),
        ("x", "smtp://relay%0d%0aQUIT@relay.example", "one line"),
        ("x", "folder://relative/path", "absolute path"),
        ("x", "folder:///", "absolute path"),
        ("", "folder:///tmp/x", "name"),
        ("x" * 64, "folder:///tmp/x", "name"),
        ("a\nb", "folder:///tmp/x", "name"),
    ],
)
def test_wrong_input_says_what_to_write(name: str, url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        transports.add(name, url, NOW)
    assert not Transport.objects.exists()


def test_a_wrong_url_is_refused_without_repeating_its_password() -> None:
    for url in ("smtp://me:s3cret@", "smtp://me:s3cret@host:bad", "smtp://me:s3cret@host?tls=maybe", "folder://me:s3cret@/x", "//me:s3cret@host"):
        with pytest.raises(ValueError) as refused:
            transports.add("x", url, NOW)
        assert "s3cret" not in str(refused.value)


def test_a_name_is_taken_once() -> None:
    transports.add("relay", URL, NOW)
    with pytest.raises(ValueError, match="already"):
        transports.add("relay", URL, NOW)
    with pytest.raises(ValueError, match="no transport called 'other'"):
        transports.find("other")


def test_trouble_backs_off_to_half_an_hour_and_recovery_ends_it() -> None:
    made = transports.add("relay", URL, NOW)
    moment, waits = NOW, []
    for _ in range(9):
        next_try = transports.trouble(made, "421 too busy", moment)
        waits.append((next_try - moment).total_seconds())
        moment = next_try
    assert waits == [30, 60, 120, 240, 480, 960, 1800, 1800, 1800]
    made.refresh_from_db()
    assert (transports.health(made), made.failures, made.last_error) == ("trouble", 9, "421 too busy")
    assert transports.recovered(made, moment) and not transports.recovered(made, moment)
    made.refresh_from_db()
    assert (transports.health(made), made.failures, made.next_try, made.last_error, made.last_success) == ("ok", 0, None, "", moment)
    assert list(JournalEntry.objects.order_by("id").values_list("event", flat=True)) == ["transport.added", "transport.trouble", "transport.recovered"]


def test_lanes_that_fail_together_count_once() -> None:
    made = transports.add("relay", URL, NOW)
    first = transports.trouble(made, "421", NOW)
    assert transports.trouble(made, "421", NOW + timedelta(seconds=1)) == first
    assert Transport.objects.get().failures == 1


def letters() -> list[tuple[str, str]]:
    return [(letter, Address.objects.get(pk=address).email) for letter, address in Copy.objects.order_by("mailing_id").values_list("mailing__letter", "address_id")]


def test_administrators_and_owners_are_told_once_and_told_again_when_it_works() -> None:
    transports.add("default", URL, NOW)
    made = transports.add("own", URL, NOW)
    people.add("root@a.example", admin=True, now=NOW)
    organisations.add_domain("saule.example", None, NOW, by="test")
    chosen = lists.create("amapiens@saule.example", "discussion", "helene@saule.example", NOW, by="test")
    lists.create("autre@saule.example", "discussion", "else@saule.example", NOW, by="test")
    lists.change(chosen, NOW, by="test", transport="own")
    moment = NOW
    for failure in range(6):
        assert len(letters()) == (2 if failure >= transports.PATIENCE else 0)
        moment = transports.trouble(made, "421 too busy", moment)
    assert letters() == [("trouble", "root@a.example"), ("trouble", "helene@saule.example")]
    transports.recovered(made, moment)
    transports.recovered(made, moment)
    assert letters()[2:] == [("recovered", "root@a.example"), ("recovered", "helene@saule.example")]


def test_a_wrong_password_is_told_at_once() -> None:
    transports.add("default", URL, NOW)
    people.add("root@a.example", admin=True, now=NOW)
    transports.trouble(transports.add("own", URL, NOW), "535 no", NOW, lasting=True)
    assert letters() == [("trouble", "root@a.example")]


def test_no_letter_waits_behind_the_transport_it_is_about() -> None:
    made = transports.add("default", URL, NOW)
    people.add("root@a.example", admin=True, now=NOW)
    transports.trouble(made, "535 no", NOW, lasting=True)
    transports.recovered(made, NOW)
    assert letters() == []


def test_success_is_written_at_most_once_a_minute() -> None:
    made = transports.add("relay", URL, NOW)
    assert transports.health(made) == "unused"
    for seconds in (0, 1, 59, 61):
        transports.recovered(made, NOW + timedelta(seconds=seconds))
    made.refresh_from_db()
    assert (made.last_success, transports.health(made)) == (NOW + timedelta(seconds=61), "ok")


def test_a_new_url_is_tried_at_once() -> None:
    made = transports.add("relay", URL, NOW)
    transports.trouble(made, "535 wrong password", NOW)
    transports.set_url(made, URL.replace("s3cret", "better"), NOW, by="test")
    assert made.next_try is None and "better" in transports.url_of(made)


def test_switching_off_keeps_everything() -> None:
    made = transports.add("relay", URL, NOW)
    assert transports.switch(made, False, NOW, by="test") and not transports.switch(made, False, NOW, by="test")
    assert Transport.objects.get().enabled is False


def test_a_transport_that_lets_us_in_but_takes_no_mail_is_tried_less_and_less_often() -> None:
    people.add("helene@saule.example", "Hélène", admin=True, now=NOW)
    transports.add("default", URL, NOW)
    made, moment, waits = transports.add("relay", URL, NOW), NOW, []
    for _ in range(4):
        next_try = transports.trouble(made, "connection: lost again and again", moment)
        waits.append((next_try - moment).total_seconds())
        moment = next_try
        assert transports.recovered(made, moment, looked=True)
        made.refresh_from_db()
        assert not made.failures and not made.last_success
    assert waits == [30, 60, 120, 240] and made.told_at
    letters = Mailing.objects.filter(letter__in=["trouble", "recovered"]).order_by("id")
    assert [letter.letter for letter in letters] == ["trouble"]
    assert not transports.recovered(made, moment), "it was not in trouble at this moment"
    made.refresh_from_db()
    assert made.trials == 0 and made.last_success == moment and [letter.letter for letter in letters.all()] == ["trouble", "recovered"]
    assert (transports.trouble(made, "421 no", moment) - moment).total_seconds() == 30
