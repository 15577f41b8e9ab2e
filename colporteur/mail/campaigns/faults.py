"""What is wrong with a field, a condition or a loop, in words of whoever writes newsletters, instead of the template library's.

Source: the messages of jinja2.parser and jinja2.lexer, 3.1; what none of them fits is told by how fields are written.
"""

from __future__ import annotations

import re

from colporteur.domain.words import Sentence
from colporteur.domain.words import gettext_noop as _

UNENDED = _("what begins with {{ has to end with }}, and {%% with %%}")
_TOLD: tuple[tuple[str, str], ...] = (
    (r"Expected an expression, got 'end of print statement'", _("nothing stands between {{ and }}")),
    (r"Expected an expression, got 'end of statement block'|tag name expected", _("something is missing between {%% and %%}: a condition is written {%% if name %%}")),
    (r"expected token 'in', got", _("a loop is written {%% for one in lists %%}")),
    (r"expected token 'name', got", _("a name is missing, as after | that of a filter")),
    (r"expected token '[^']*', got '(?:begin|end) of", UNENDED),
    (r"expected token 'end of \w+ (?:statement|block)', got '(?:integer|float|string)'", _("a number or a text does not belong there: something is missing before it")),
    (r"expected token 'end of \w+ (?:statement|block)', got '='", _("two values are compared by ==, not by =")),
    (r"expected token 'end of \w+ (?:statement|block)', got '(?P<word>[^']*)'", _("“%(word)s” does not belong there: the name of a field has no spaces, no dashes and no apostrophes")),
    (r"unexpected end of template, expected|unexpected '\}'$|Missing end of raw", UNENDED),
    (r"unexpected '[^']*', expected '(?P<word>[^']*)'", _("“%(word)s” is missing")),
    (r"unexpected 'end of", _("it breaks off: after a sign such as + or a word such as “and” another value has to come")),
    (r"unexpected '(?P<word>[^']*)'", _("“%(word)s” does not belong there")),
    (r"unexpected char ['\"](?P<word>.+)['\"] at", _("“%(word)s” cannot stand in a field, and a text in it stands between straight quotation marks: \"…\"")),
    (r"Encountered unknown tag '(?P<word>[^']*)'.*needs to be closed is '(?P<open>\w+)'", _("“{%% %(word)s %%}” stands where “{%% end%(open)s %%}” has to come first")),
    (r"Encountered unknown tag '(?P<word>end\w*|else|elif)'", _("“{%% %(word)s %%}” belongs to nothing that began before it")),
    (r"Encountered unknown tag '(?P<word>[^']*)'", _("there is no “{%% %(word)s %%}”; there are: if, elif, else, endif, for, endfor, set")),
    (r"Unexpected end of template.*needs to be closed is '(?P<open>\w+)'", _("“{%% %(open)s … %%}” is not ended by “{%% end%(open)s %%}”")),
    (r"Missing end of comment tag", _("a remark that begins with {# has to end with #}")),
    (r"can't assign to", _("“set” gives one name one value")),
)
_OTHER = _("this cannot be read: fields are written {{ name }}, conditions {%% if name %%} … {%% endif %%}")


def told(message: str) -> Sentence:
    """The message of a ``TemplateSyntaxError`` as a sentence. Linear."""
    for pattern, msgid in _TOLD:
        if found := re.match(pattern, message[:400]):
            return Sentence(msgid, **{name: word[:60] for name, word in found.groupdict().items()})
    return Sentence(_OTHER)
