"""Every installation option of Colporteur.

An option is declared once, in ``OPTIONS``: variable, type, default, unit and one sentence. ``docs/settings.md`` is
generated from it, and nothing else in the product reads the environment. Apart from ``settings.py`` because commands
like ``colporteur deliver`` need an option but neither Django nor a key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any


class SettingsError(Exception):
    """An option holds something that cannot be used; the message names the variable and says what to write."""


@dataclass(frozen=True)
class Option:
    """One installation option.

    ``kind`` is one of ``text``, ``path``, ``int`` (1 or more), ``count`` (0 or more), ``bool``, ``address`` (``host:port``, empty = off). A text
    with ``choices`` is one of them.
    """

    variable: str
    kind: str
    default: Any
    unit: str
    sentence: str
    choices: tuple[str, ...] = ()


OPTIONS: tuple[Option, ...] = (
    Option("COLPORTEUR_DATA", "path", "./var", "", "Data directory: embedded database, keys, demo outbox."),
    Option("DATABASE_URL", "text", "", "", "PostgreSQL (>= 15) to use instead of the embedded one."),
    Option("COLPORTEUR_WEB", "address", "127.0.0.1:8000", "host:port", "Where the web server listens."),
    Option("COLPORTEUR_LMTP", "address", "127.0.0.1:8024", "host:port", "Where the LMTP listener listens; empty = off."),
    Option("COLPORTEUR_BASE_URL", "text", "", "URL", "Public address used in links; decides host check, secure cookies and CSRF origin. Default: http:// + COLPORTEUR_WEB."),
    Option("COLPORTEUR_SECRET_KEY", "text", "", "", "Signing and encryption key; made and kept in the data directory with the embedded database, required with DATABASE_URL."),
    Option("COLPORTEUR_DEMO", "bool", False, "", "Put demo data in an empty database at the first start, in the language given below, else in that of the system (LANG)."),
    Option("COLPORTEUR_LANGUAGE", "text", "en", "language code", "Language of letters to people who chose none.", ("en", "fr")),
    Option("COLPORTEUR_TIME_ZONE", "text", "Europe/Paris", "tz name", "Time zone of dates shown to people who chose none."),
    Option("COLPORTEUR_MAX_MESSAGE_SIZE", "int", 50 * 1024 * 1024, "bytes", "Largest message any door takes; the LMTP listener announces it as SIZE."),
    Option("COLPORTEUR_LOG", "text", "info", "level", "Least level written to the log.", ("debug", "info", "warning", "error")),
    Option("COLPORTEUR_MAIL_LOG", "text", "mail.log", "file", "Where every part writes the mail journal beside standard error, relative to the data directory; empty = standard error only."),
    Option("COLPORTEUR_CONNECTIONS", "int", 20, "connections", "Parallel connections a worker opens to one SMTP transport."),
    Option("COLPORTEUR_WORKERS", "count", 0, "processes", "Workers that `colporteur run` starts; they share each transport's connections, and one whose mail is limited is the first one's alone. 0: one for each processor, at most 4."),
    Option("COLPORTEUR_SWEEP", "int", 2, "seconds", "How often workers look for due rows nobody woke them for."),
    Option("COLPORTEUR_LEASE", "int", 20, "seconds", "How long a worker owns a slice of copies without renewing; what a dead host held is taken over after it. The same on every host."),
    Option("COLPORTEUR_WEB_THREADS", "int", 8, "threads", "Requests the web server works on at once."),
    Option("COLPORTEUR_SIGNUP", "bool", True, "", "Anybody may make an account by a mailed link; an account gives no right by itself."),
    Option("COLPORTEUR_ADMIN_TWO_STEPS", "bool", False, "", "Administrators, of the site and of organisations, must sign in with a passkey or with a code of an authenticator app."),
    Option("COLPORTEUR_NETWORKS", "networks", "", "networks", "Networks of your own, separated by commas (10.0.5.0/24), that mailboxes and sources may lie in whoever sets them; elsewhere inside only the site's administrators may reach."),
    Option("COLPORTEUR_KEEP_UNMATCHED", "int", 100, "days", "How long reports that name no copy of ours are kept to be looked at."),
    Option("COLPORTEUR_TRUSTED_PROXY", "bool", False, "", "The web server stands behind a reverse proxy that sets X-Forwarded-Proto and X-Forwarded-For itself; leave off when clients reach it directly."),
)

_SHAPES = {"int": "a whole number of 1 or more", "count": "a whole number", "bool": "0 or 1", "address": "host:port", "networks": "networks like 10.0.5.0/24, separated by commas"}
_BY_NAME = {option.variable: option for option in OPTIONS}


def read(variable: str, environ: dict[str, str] | None = None) -> Any:
    """Value of the option ``variable`` from the environment, or its default.

    Raises ``SettingsError`` when the text cannot be read as the option's kind.
    """
    option = _BY_NAME[variable]
    text = (os.environ if environ is None else environ).get(variable)
    if text is None:
        return option.default
    text = text.strip()
    try:
        if option.kind == "int":
            return _at_least(1, text)
        if option.kind == "count":
            return _at_least(0, text)
        if option.kind == "bool":
            return {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False, "": False}[text.lower()]
        if option.kind == "networks":
            return ",".join(str(ip_network(word.strip())) for word in text.split(",") if word.strip())
        if option.kind == "address" and text:
            host, port = split_address(text)
            return f"{host}:{port}"
    except (ValueError, KeyError):
        raise SettingsError(f"{variable}={text!r} is not {_SHAPES[option.kind]}: {option.sentence}") from None
    if option.choices and text not in option.choices:
        raise SettingsError(f"{variable}={text!r} is none of {', '.join(option.choices)}: {option.sentence}")
    return text


def language_around(environ: Mapping[str, str] | None = None) -> str:
    """The site's language where it is given, else that of whoever starts us (POSIX: LC_ALL, LC_MESSAGES, LANG) when it is one of ours."""
    around = os.environ if environ is None else environ
    option = _BY_NAME["COLPORTEUR_LANGUAGE"]
    if option.variable in around:
        return str(read(option.variable, dict(around)))
    spoken = next((around[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if around.get(name)), "")
    language = spoken.partition("_")[0].partition(".")[0].lower()
    return language if language in option.choices else str(option.default)


def _at_least(least: int, text: str) -> int:
    number = int(text)
    if number < least:
        raise ValueError(text)
    return number


def split_address(text: str) -> tuple[str, int]:
    """``host:port`` -> (host, port). Raises ``ValueError`` when the port is missing or out of range."""
    host, _, port = text.rpartition(":")
    number = int(port)
    if not 0 <= number < 65536:
        raise ValueError(text)
    return host.strip("[]") or "127.0.0.1", number


def markdown() -> str:
    """``docs/settings.md``: every option with type, default, unit and sentence."""
    lines = [
        "# Settings",
        "",
        "Every option of an installation is an environment variable; this page is made from `colporteur/options.py` by `make docs`.",
        "",
        "| variable | type | default | unit | meaning |",
        "|---|---|---|---|---|",
    ]
    for option in OPTIONS:
        default = {True: "1", False: "0", "": "(empty)"}.get(option.default, str(option.default))
        kind = ", ".join(option.choices) or option.kind
        lines.append(f"| `{option.variable}` | {kind} | `{default}` | {option.unit} | {option.sentence} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
