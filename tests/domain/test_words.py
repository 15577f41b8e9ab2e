"""Sentences that can be said in another language."""

from __future__ import annotations

import pytest

from colporteur.domain import addresses, policy
from colporteur.domain.entries import of_pairs
from colporteur.domain.words import Invalid, Sentence

FRENCH = {
    "%(text)r is not an e-mail address: write name@example.org": "%(text)r n’est pas une adresse",
    "%(name)s must be yes or no": "%(name)s : oui ou non",
    "%(name)s must be a whole number": "%(name)s : un nombre",
}


def test_an_error_is_english_and_can_be_said_otherwise() -> None:
    with pytest.raises(Invalid, match=r"'100%' is not an e-mail address") as told:
        addresses.normal("100%")
    assert told.value.into(FRENCH.__getitem__) == "'100%' n’est pas une adresse"


def test_all_that_is_wrong_is_said() -> None:
    with pytest.raises(Invalid) as told:
        policy.changed({}, {"own_copy": "maybe", "expire_days": "soon"}, policy.Layer.LIST)
    assert str(told.value) == "own_copy must be yes or no; expire_days must be a whole number"
    assert told.value.into(FRENCH.__getitem__) == "own_copy : oui ou non; expire_days : un nombre"
    assert told.value.sentences[0].into(FRENCH.__getitem__, name="Copie", other="x") == "Copie : oui ou non"


def test_a_refused_line_keeps_its_sentence() -> None:
    (refused,) = of_pairs([("bad", "")]).refused
    assert isinstance(refused.reason, Sentence)
    assert refused.reason.into(FRENCH.__getitem__) == "'bad' n’est pas une adresse"


def test_sentences_in_a_sentence_are_said_in_the_same_language() -> None:
    several = Sentence.joined([Sentence("%(url)s: %(why)s", url="a", why=Sentence("late")), Sentence("early")], " …")
    whole = Sentence("%(n)s links: %(some)s", n=2, some=several)
    assert str(whole) == "2 links: a: late, early …"
    assert whole.into(lambda msgid: {"late": "tard", "early": "tôt"}.get(msgid, msgid)) == "2 links: a: tard, tôt …"
