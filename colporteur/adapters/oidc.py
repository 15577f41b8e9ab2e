"""An OpenID Connect provider: its published configuration, the code for a token, and the token checked.

Authorization code flow with PKCE (RFC 7636), state and nonce; sources are OpenID Connect Core 1.0 and Discovery 1.0. The
signature is checked although the token comes over TLS, and nothing in it is believed that was not asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import jwt

SECONDS = 10.0
MOST_BYTES = 500_000
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Of the token's signature; never "none", never one made with the client's secret."""
LEEWAY = 120  # seconds the two clocks may be apart


class Refused(Exception):
    """The provider, or what it said, cannot be used; the text is for the administrator."""


@dataclass(frozen=True)
class Endpoints:
    """What the provider publishes about itself (Discovery section 3)."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str
    basic: bool  # the client's secret goes into a header


@dataclass(frozen=True)
class Claims:
    """Whom the provider vouches for."""

    subject: str
    email: str
    email_verified: bool
    name: str


def discover(issuer: str) -> Endpoints:
    """Read the configuration. Raises ``Refused``."""
    found = _json(httpx.Request("GET", issuer.rstrip("/") + "/.well-known/openid-configuration"))
    if str(found.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
        raise Refused(f"it calls itself {found.get('issuer')!r} instead of {issuer!r}")  # Discovery section 4.3
    methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    try:
        made = Endpoints(found["issuer"], found["authorization_endpoint"], found["token_endpoint"], found["jwks_uri"], found.get("userinfo_endpoint", ""), "client_secret_basic" in methods)
    except KeyError as error:
        raise Refused(f"its configuration has no {error.args[0]}") from None
    for url in (made.authorization, made.token, made.keys, made.userinfo):
        if url and not secure(url):
            raise Refused(f"{url} is not https")
    return made


def secure(url: object) -> bool:
    """Whether secrets may be sent there: https, or this machine."""
    parts = urlsplit(str(url))
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))


def challenge(verifier: str) -> str:
    """What is told of the verifier before the code comes (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def address(ends: Endpoints, client_id: str, back: str, state: str, nonce: str, verifier: str) -> str:
    """Where the browser goes to sign in (Core section 3.1.2.1)."""
    asked = {"response_type": "code", "scope": "openid email profile", "client_id": client_id, "redirect_uri": back, "state": state, "nonce": nonce}
    asked |= {"code_challenge": challenge(verifier), "code_challenge_method": "S256"}
    return f"{ends.authorization}{'&' if '?' in ends.authorization else '?'}{urlencode(asked)}"


def redeem(ends: Endpoints, client_id: str, secret: str, back: str, code: str, nonce: str, verifier: str, now: datetime) -> Claims:
    """Whom the code stands for (Core section 3.1.3). Raises ``Refused``."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier, "client_id": client_id}
    headers = {"Accept": "application/json"}
    if secret and ends.basic:
        pair = urlencode({"": client_id})[1:] + ":" + urlencode({"": secret})[1:]  # form-encoded first, RFC 6749 section 2.3.1
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    elif secret:
        form["client_secret"] = secret
    answer = _json(httpx.Request("POST", ends.token, data=form, headers=headers))
    if not isinstance(answer.get("id_token"), str):
        raise Refused("its answer holds no ID token")
    held = checked(answer["id_token"], _json(httpx.Request("GET", ends.keys)), ends.issuer, client_id, nonce, now)
    if not held.get("email") and ends.userinfo and answer.get("access_token"):
        more = _json(httpx.Request("GET", ends.userinfo, headers={"Authorization": f"Bearer {answer['access_token']}", "Accept": "application/json"}))
        if more.get("sub") != held["sub"]:
            raise Refused("it told of somebody else than it signed in")  # Core section 5.3.2
        held = {**more, **held}
    verified = held.get("email_verified") in (True, "true")  # some write it as a text
    return Claims(str(held["sub"])[:255], str(held.get("email") or "").strip(), verified, str(held.get("name") or "").strip())


def checked(token: str, keys: dict[str, Any], issuer: str, client_id: str, nonce: str, now: datetime) -> dict[str, Any]:
    """The claims of an ID token whose signature, issuer, audience, time and nonce are right (Core section 3.1.3.7). Raises ``Refused``."""
    try:
        key = _key(token, keys)
        claims: dict[str, Any] = jwt.decode(token, key, ALGORITHMS, audience=client_id, issuer=issuer, options={"require": ["exp", "iat", "sub"], "verify_exp": False, "verify_iat": False, "verify_nbf": False})
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise Refused(f"its ID token cannot be believed: {error}") from error
    if not isinstance(claims["exp"], (int, float)) or claims["exp"] + LEEWAY < now.timestamp():
        raise Refused("its ID token is too old: compare the clocks")
    if claims.get("nonce") != nonce:
        raise Refused("its ID token answers another sign-in")
    if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != client_id:
        raise Refused("its ID token was made for another program")
    return claims


def _key(token: str, keys: dict[str, Any]) -> jwt.PyJWK:
    wanted = jwt.get_unverified_header(token).get("kid")
    usable = [key for key in jwt.PyJWKSet.from_dict(keys).keys if key.public_key_use in (None, "sig")]
    found = [key for key in usable if key.key_id == wanted] if wanted else usable
    if len(found) != 1:
        raise ValueError("none of its published keys made the signature")
    return found[0]


def _json(request: httpx.Request) -> dict[str, Any]:
    """The object a request is answered with, within bounds of time and size. Redirects are not followed: they would carry secrets."""
    try:
        with httpx.Client(timeout=SECONDS) as client:
            answer = client.send(request, stream=True)
            content = b""
            for part in answer.iter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    raise Refused(f"{request.url.host} sends too much")
            found = json.loads(content)
    except httpx.HTTPError as error:
        raise Refused(f"{request.url.host} does not answer: {error}") from error
    except ValueError:
        raise Refused(f"{request.url} answers with status {answer.status_code} and no JSON") from None
    if answer.status_code != 200 or not isinstance(found, dict):
        raise Refused(f"{request.url} answers with status {answer.status_code}: {str(found.get('error', '') if isinstance(found, dict) else '')[:200]}")
    return found
