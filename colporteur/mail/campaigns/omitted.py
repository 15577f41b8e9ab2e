"""What of the HTML somebody wrote does not reach readers, said in words: elements that run, submit, embed or play, and styles.

The sanitiser (``html.py``) and the stylesheets (``styles.py``) leave it out; this only names it, from the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from colporteur.domain.words import Sentence
from colporteur.domain.words import gettext_noop as _

_NAMED = 5
_TAG = re.compile(r"<([a-zA-Z][\w:-]{0,40})((?:[^<>\"']|\"[^\"]{0,20000}+\"|'[^']{0,20000}+')*+)>")
_REMARK = re.compile(r"<!--.*?(?:-->|\Z)|<style\b[^>]{0,500}>.*?(?:</style\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_RUNS = re.compile(r"(?i)(?:^|[\s\"'])on[a-z]{3,30}\s*=")
_KINDS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"script", "noscript"}), _("scripts were taken out: no mail program runs them")),
    (frozenset("form input select textarea button option optgroup fieldset legend label".split()), _("forms were taken out, with what stands in them: mail programs do not send them; link to a page that has the form")),
    (frozenset("iframe frame frameset object embed applet".split()), _("embedded pages were taken out: mail programs do not show them; link to them")),
    (frozenset("audio video source track".split()), _("sound and video were taken out: mail programs do not play them; put a picture there with a link")),
    (frozenset("svg math canvas".split()), _("drawings (%(names)s) were taken out: mail programs do not show them; upload them as pictures")),
    (frozenset({"link"}), _("stylesheets of other sites are not loaded: write their rules into the newsletter")),
)
_SILENT = frozenset("html head body meta title base xml area map picture".split())
"""Parts of a document that are ours to write, and what loses nothing anybody sees."""


def elements(source: str, known: Iterable[str]) -> list[Sentence]:
    """The elements of ``source`` that go, by kind. ``known``: those that stay. Linear."""
    source = _REMARK.sub("", source.replace("\x00", ""))
    tags = [(tag[1].lower(), tag[2]) for tag in _TAG.finditer(source)]
    used = dict.fromkeys(name for name, _attributes in tags)
    if any(_RUNS.search(re.sub(r"\"[^\"]*\"|'[^']*'", '""', attributes)) for _name, attributes in tags):
        used["script"] = None
    said = [Sentence(words, names=_some([name for name in used if name in kind])) for kind, words in _KINDS if not kind.isdisjoint(used)]
    named = frozenset().union(*(kind for kind, _words in _KINDS))
    others = [name for name in used if name not in named and name not in _SILENT and name not in set(known) and not name.startswith("mj") and ":" not in name]
    if others:
        said.append(Sentence(_("elements that mail programs do not know were left out, what stands in them stays: %(names)s"), names=_some(others)))
    return said


def of_styles(dropped: Iterable[str]) -> list[Sentence]:
    """The parts of styles that go. ``dropped``: as they were written; those some mail program has for itself are its own affair."""
    told = list(dict.fromkeys(one for one in dropped if not one.startswith(("-", "mso-"))))
    return [Sentence(_("parts of the styles were left out, as mail programs do not heed them or they would load or cover something: %(names)s"), names=_some(told))] if told else []


def _some(names: list[str]) -> str:
    return ", ".join(name[:40] for name in names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
