"""Sentences that people read, marked for translation where no translator may be imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any


def gettext_noop(sentence: str) -> str:
    """The sentence itself; the name is what ``makemessages`` looks for."""
    return sentence


class Sentence(str):
    """A sentence in English that can still be said in another language: ``msgid`` with ``%(name)s``, and its values, which may be sentences."""

    __slots__ = ("msgid", "values")

    msgid: str
    values: dict[str, Any]

    def __new__(cls, msgid: str, **values: Any) -> Sentence:
        made = super().__new__(cls, msgid % values)
        made.msgid, made.values = msgid, values
        return made

    @classmethod
    def joined(cls, several: Sequence[Sentence], more: str = "") -> Sentence:
        """Several after each other, with commas between, and ``more`` at the end."""
        return cls(", ".join(f"%(part{number})s" for number in range(len(several))) + more, **{f"part{number}": one for number, one in enumerate(several)})

    def into(self, translate: Callable[[str], str], **other: Any) -> str:
        """The sentence by a translator of msgids; ``other`` replaces values, as by a label for a name."""
        values = {name: value.into(translate) if isinstance(value, Sentence) else value for name, value in self.values.items()}
        return translate(self.msgid) % (values | {name: value for name, value in other.items() if name in values})


class Invalid(ValueError):
    """What somebody wrote cannot be taken; the sentence says what to write. ``str()`` gives it in English."""

    def __init__(self, msgid: str, **values: Any) -> None:
        self.sentences: tuple[Sentence, ...] = (Sentence(msgid, **values),)
        super().__init__(self.sentences[0])

    @classmethod
    def all_of(cls, several: Iterable[Invalid]) -> Invalid:
        """One for all that is wrong."""
        made = cls("")
        made.sentences = tuple(sentence for one in several for sentence in one.sentences)
        made.args = ("; ".join(made.sentences),)
        return made

    def into(self, translate: Callable[[str], str], **other: Any) -> str:
        """What is wrong by a translator of msgids; ``other`` replaces values."""
        return "; ".join(sentence.into(translate, **other) for sentence in self.sentences)
