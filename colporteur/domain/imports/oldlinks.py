"""Links to unsubscribe that SPIP's Mailsubscribers wrote into its newsletters: what proves them.

``spip.php?action=unsubscribe_mailsubscriber&email=<address>&arg=[<list>-]...<key>``: the key is of the text
``unsubscribe-<address>-<jeton>[+<list>]...`` and the site's secret. SPIP to 4.0 makes it by SHA-1 (once by MD5) of text and secret, the
secret being a setting in the database; later by HMAC-SHA-256, the secret being that setting and ``config/cles.php``, bit by bit (XOR).
Sources: mailsubscribers_fonctions.php; SPIP's inc/securiser_action.php and Chiffrer/SpipCles.php.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable

ACTION = "unsubscribe_mailsubscriber"
_ARG = re.compile(r"((?:\d{1,9}-){0,50})([0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?![0-9a-f])", re.ASCII)
_BYTES = 32
"""Of each half of a newer secret."""


def secrets_of(setting: str, file: str) -> list[bytes]:
    """The secrets a site may have signed with. ``setting``: the row ``secret_du_site``; ``file``: the text of ``config/cles.php``; "" for
    what is not at hand. Raises ``ValueError`` for a file that is none."""
    found = [setting.encode()] if setting and len(_decoded(setting)) != _BYTES else []
    if file:
        try:
            keys = json.loads(file[file.index("{") :])
            half = _decoded(keys["secret_du_site"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("this is no config/cles.php of SPIP with a key secret_du_site") from error
        other = _decoded(setting)
        if len(half) != _BYTES or len(other) != _BYTES:
            raise ValueError("the key secret_du_site in config/cles.php and the one in the database do not belong together")
        found.append(bytes(one ^ two for one, two in zip(half, other, strict=True)))
    return found


def proven(secrets: Iterable[bytes], email: str, jetons: Iterable[str], arg: str) -> tuple[int, ...] | None:
    """The numbers of the lists a link leaves, () for all; None when no secret proves it. ``email``: as the link has it."""
    found = _ARG.match(arg.lower())
    if not found:
        return None
    lists = tuple(int(one) for one in found[1].split("-") if one)
    more = "".join(f"+{one}" for one in lists)
    jetons, right = list(jetons), False
    for secret in secrets:
        for jeton in jetons:
            text = f"unsubscribe-{email}-{jeton}{more}".encode()
            made = (hashlib.sha1(text + secret).hexdigest(), hashlib.md5(text + secret).hexdigest(), hmac.new(secret, text, hashlib.sha256).hexdigest())
            right = any([hmac.compare_digest(one, found[2]) for one in made]) or right  # noqa: C419 - every one is compared
    return lists if right else None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
