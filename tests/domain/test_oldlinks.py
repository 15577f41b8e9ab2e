"""Links of SPIP's newsletters prove themselves as every version of SPIP signed them, and not otherwise."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from colporteur.domain.imports.oldlinks import proven, secrets_of

OLD = "0123456789abcdef" * 4
HALF, FILE_HALF = bytes(range(32)), bytes(range(100, 132))
NEW = base64.b64encode(HALF).decode()
FILE = "<?php die ('Acces interdit'); ?>\n" + json.dumps({"secret_des_auth": "eA==", "secret_du_site": base64.b64encode(FILE_HALF).decode()})
TEXT = b"unsubscribe-Anna+a@exemple.example-jeton1"


def test_a_key_of_each_age_proves_a_link() -> None:
    assert proven(secrets_of(OLD, ""), "Anna+a@exemple.example", ["x", "jeton1"], hashlib.sha1(TEXT + OLD.encode()).hexdigest()) == ()
    assert proven(secrets_of(OLD, ""), "Anna+a@exemple.example", ["jeton1"], hashlib.md5(TEXT + OLD.encode()).hexdigest()) == ()
    secret = bytes(one ^ two for one, two in zip(HALF, FILE_HALF, strict=True))
    key = hmac.new(secret, TEXT + b"+3+12", hashlib.sha256).hexdigest()
    assert proven(secrets_of(NEW, FILE), "Anna+a@exemple.example", ["jeton1"], f"3-12-{key}") == (3, 12)
    assert proven(secrets_of(NEW, FILE), "Anna+a@exemple.example", ["jeton1"], f"3-12-{key.upper()}>, ") == (3, 12), "what mail programs hang on"
    for email, jeton, arg in (("anna@exemple.example", "jeton1", f"3-12-{key}"), ("Anna+a@exemple.example", "jeton2", f"3-12-{key}"), ("Anna+a@exemple.example", "jeton1", f"3-{key}"), ("Anna+a@exemple.example", "jeton1", key[:63]), ("Anna+a@exemple.example", "jeton1", "")):
        assert proven(secrets_of(NEW, FILE), email, [jeton], arg) is None
    assert proven([], "a@b.example", ["jeton1"], key) is None and proven(secrets_of(NEW, FILE), "Anna+a@exemple.example", [], key) is None


@pytest.mark.parametrize(("setting", "file"), [(NEW, "<?php ?>"), (NEW, '{"a": 1}'), (NEW, '{"secret_du_site": 5}'), (NEW, "[{]"), (OLD, FILE), ("", FILE)])
def test_keys_that_do_not_fit_are_said(setting: str, file: str) -> None:
    with pytest.raises(ValueError, match=r"cles\.php"):
        secrets_of(setting, file)


def test_a_newer_secret_alone_proves_nothing() -> None:
    assert secrets_of(NEW, "") == [] and secrets_of("", "") == []
