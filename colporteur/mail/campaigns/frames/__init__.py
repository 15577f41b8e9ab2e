"""Frames newsletters are set in, our own: a letter, a bulletin, an announcement; or none, the bare document.

Each is 600 pixels of tables that need no help from a mail program, readable on a phone and in the dark, with who sends it and the
links readers have a right to in its foot. The colours are the organisation's (``domain.look``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from colporteur.domain import look
from colporteur.domain.words import gettext_noop as _

FRAMES: dict[str, str] = {
    "letter": _("Letter: text on white paper, as one writes to a person"),
    "bulletin": _("Bulletin: a band with logo and colour, then sections"),
    "announcement": _("Announcement: a large picture, few words, a button"),
    "": _("None: your own HTML or MJML, whole"),
}
"""Name -> what it is, in words."""
_COLOUR = "134a72"
_ENVIRONMENT = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_WORDS = {
    "en": {
        "because": "You receive this because {email} is on “{title}”.", "unsubscribe": "Unsubscribe", "preferences": "Your preferences", "web": "See in the browser",
    },
    "fr": {
        "because": "Vous recevez ce message parce que {email} est inscrit à « {title} ».", "unsubscribe": "Se désabonner", "preferences": "Vos préférences",
        "web": "Voir dans le navigateur",
    },
}  # fmt: skip
_LINKS = ("unsubscribe", "preferences", "web")


@dataclass(frozen=True)
class Look:
    """Who sends, and how that looks. ``logo``: its address, "" for none, with width and height in pixels as shown; ``identity``: name
    and postal address, lines of text; ``colour``: ``rrggbb``, "" for the product's own."""

    title: str
    language: str = "en"
    colour: str = ""
    logo: str = ""
    logo_size: tuple[int, int] = (0, 0)
    identity: str = ""


class Foot(NamedTuple):
    """What stands at the end of a newsletter: a sentence, who sends it, and links (words, address), with fields in them."""

    because: str
    identity: tuple[str, ...]
    links: tuple[tuple[str, str], ...]


def foot_of(look_: Look) -> Foot:
    """The foot in the newsletter's language, English where we have not got it."""
    words = _WORDS[look_.language if look_.language in _WORDS else "en"]
    because = words["because"].format(email="{{ email }}", title=look_.title)
    return Foot(because, tuple(line.strip() for line in look_.identity.splitlines() if line.strip()), tuple((words[name], f"{{{{ url_{name} }}}}") for name in _LINKS))


def text_foot(look_: Look) -> str:
    """The same for the text part."""
    made = foot_of(look_)
    return "\n".join(["-- ", made.because, *made.identity, *(f"{words}{' ' if look_.language == 'fr' else ''}: {address}" for words, address in made.links)])


def document(frame: str, look_: Look, foot: Foot, *, subject: str, preheader: str, body: str, dark: bool) -> str:
    """A whole document with its stylesheet in ``<style>``, not yet inlined. ``body``: harmless HTML. An unknown frame is none."""
    name = frame if frame in FRAMES and frame else "bare"
    hero, rest = _hero(body) if name == "announcement" else ("", body)
    return _ENVIRONMENT.get_template(f"{name}.html").render(
        look=look_, subject=subject, preheader=preheader, hero=Markup(hero), body=Markup(rest), foot=foot, in_the_dark=dark
    )


def rules(frame: str, look_: Look) -> str:
    """The rules of a frame that are inlined; of none, those that make the bare page as wide as it is."""
    if not frame or frame not in FRAMES:
        return "body{margin:0;padding:0;width:100%}"
    return _ENVIRONMENT.get_template("frames.css").render(light=look.light(look_.colour or _COLOUR))


def special(frame: str, look_: Look, dark: bool) -> str:
    """The rules of a frame that cannot be inlined: for phones, and for the dark unless the newsletter brings colours of its own."""
    if not frame or frame not in FRAMES:
        return ""
    return _ENVIRONMENT.get_template("special.css").render(dark=look.dark(look_.colour or _COLOUR), in_the_dark=dark)


def _hero(body: str) -> tuple[str, str]:
    """The picture an announcement begins with, which goes from edge to edge, and the rest."""
    start, end = body.find('<p class="cp-picture">'), body.find("</p>")
    return (body[start + 22 : end], body[end + 4 :]) if not body[: max(start, 0)].strip() and start >= 0 < end else ("", body)
