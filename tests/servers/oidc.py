"""An OpenID Connect provider of this machine, as strict as the specification: discovery, authorization code with PKCE, signed ID tokens, keys."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.served import Quiet, Served


class Provider(Served):
    """Everybody who comes is ``who`` (claims; sub is needed). ``client``: id, secret and redirect address it knows.

    ``spoil`` changes the claims of a token, ``forge`` signs it with a key that was never published, ``quiet`` leaves the
    address for the userinfo endpoint, as a provider may (Core section 5.4).
    """

    def __init__(self, client_id: str = "colporteur", secret: str = "s3cret: +/é") -> None:
        self.client_id, self.secret, self.redirect = client_id, secret, ""
        self.who: dict[str, Any] = {}
        self.spoil: dict[str, Any] = {}
        self.forge = self.quiet = False
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._access: dict[str, dict[str, Any]] = {}
        self._key, self._other = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _time in range(2))
        provider = self

        class Handler(Quiet):
            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._token(self)

        super().__init__(Handler)
        self.issuer = f"http://localhost:{self.port}/realms/saule"

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        base = urlsplit(self.issuer).path
        if parts.path == f"{base}/.well-known/openid-configuration":
            ends = {name: f"{self.issuer}/{where}" for name, where in (("authorization_endpoint", "auth"), ("token_endpoint", "token"), ("jwks_uri", "keys"), ("userinfo_endpoint", "me"))}
            return _answer(request, {"issuer": self.issuer, **ends, "response_types_supported": ["code"], "token_endpoint_auth_methods_supported": ["client_secret_basic"]})
        if parts.path == f"{base}/keys":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
            return _answer(request, {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}, {"kty": "oct", "kid": "odd", "k": "eA"}]})
        if parts.path == f"{base}/auth":
            return self._authorize(request, {name: values[0] for name, values in parse_qs(parts.query).items()})
        if parts.path == f"{base}/me":
            claims = self._access.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
            return _answer(request, claims or {"error": "invalid_token"}, 200 if claims else 401)
        return _answer(request, {"error": "not_found"}, 404)

    def _authorize(self, request: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
        """Core section 3.1.2, RFC 7636 section 4.3; nobody is asked for a password."""
        self.asked.append(asked)
        if asked.get("client_id") != self.client_id or asked.get("redirect_uri") != self.redirect:
            return _answer(request, {"error": "invalid_client"}, 400)
        right = asked.get("response_type") == "code" and "openid" in asked.get("scope", "").split() and asked.get("code_challenge_method") == "S256" and asked.get("nonce")
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        answer = {"code": code, "iss": self.issuer} if right else {"error": "invalid_request"}
        request.send_response(302)
        request.send_header("Location", f"{self.redirect}?{urlencode({**answer, 'state': asked.get('state', '')})}")
        request.end_headers()
        return None

    def _token(self, request: BaseHTTPRequestHandler) -> None:
        """Core section 3.1.3: the client proves itself, the code works once, the verifier must fit."""
        sent = {name: values[0] for name, values in parse_qs(request.rfile.read(int(request.headers["Content-Length"])).decode()).items()}
        user, _colon, password = base64.b64decode(request.headers.get("Authorization", "").removeprefix("Basic ")).decode().partition(":")
        if (unquote_plus(user), unquote_plus(password)) != (self.client_id, self.secret):
            return _answer(request, {"error": "invalid_client"}, 401)
        asked = self._codes.pop(sent.get("code", ""), None)
        fits = asked and base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode() == asked["code_challenge"]
        if not asked or not fits or sent.get("redirect_uri") != self.redirect or sent.get("grant_type") != "authorization_code":
            return _answer(request, {"error": "invalid_grant"}, 400)
        now = int(time.time())
        told = {"sub": self.who["sub"]} if self.quiet else self.who
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **told, **self.spoil}
        access = secrets.token_urlsafe(16)
        self._access[access] = self.who
        token = jwt.encode(claims, self._other if self.forge else self._key, "RS256", headers={"kid": "one"})
        return _answer(request, {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": token})


def _answer(request: BaseHTTPRequestHandler, value: dict[str, Any], status: int = 200) -> None:
    raw = json.dumps(value).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(raw)))
    request.end_headers()
    request.wfile.write(raw)
