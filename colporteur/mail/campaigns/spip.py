"""SPIP's fields said as ours: ``@nom@``, ``@@nom@@``, ``#ENV{nom}``, ``#ENV{nom,what else}``."""

from __future__ import annotations

import re
from collections.abc import Container

OURS = {
    "nom": "name", "prenom": "first_name", "mail": "email", "courriel": "email", "listes": "lists", "langue": "lang", "statut": "status",
    "url_desinscription": "url_unsubscribe", "url_desabonnement": "url_unsubscribe", "url_preferences": "url_preferences", "url_en_ligne": "url_web",
}  # fmt: skip
"""SPIP's names, and some its writers gave, that are called otherwise here."""

_AT = re.compile(r"@(@?)([A-Za-z_][A-Za-z0-9_]{0,40})@\1")
_ENV = re.compile(r"#ENV\*{0,2}\{\s{0,5}([A-Za-z_][A-Za-z0-9_]{0,40})\s{0,5}(?:,([^{}\r\n]{0,200}))?\}")


def translated(source: str, known: Container[str]) -> str:
    """``source`` with SPIP's fields as ours. What stands between two ``@`` is a field only when its name is known: it may be part
    of an address. Linear."""
    if "@" not in source and "#ENV" not in source:
        return source

    def at(found: re.Match[str]) -> str:
        name = OURS.get(found[2].lower(), found[2])
        return f"{{{{ {name} }}}}" if name in known else found[0]

    def env(found: re.Match[str]) -> str:
        name = OURS.get(found[1].lower(), found[1])
        if found[2] is None or not found[2].strip():
            return f"{{{{ {name} }}}}"
        words = found[2].strip().replace("\\", "\\\\").replace('"', '\\"')
        return f'{{{{ {name}|default("{words}") }}}}'

    return _ENV.sub(env, _AT.sub(at, source))
