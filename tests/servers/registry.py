"""A server of this machine that keeps webhooks as the interfaces of services do, by their documentation: made, listed, changed, refused."""

from __future__ import annotations

import json
from typing import Any

from tests.servers.served import Quiet, Served
from tests.servers.services import KEYS, PATHS, Answer

_KEYS = {"mailjet": ("Authorization", "Basic bmFtZTpzZWNyZXQ="), "sparkpost": ("Authorization", "secret"), "brevo": ("api-key", "secret"), "postmark": ("X-Postmark-Server-Token", "secret"), "resend": ("Authorization", "Bearer secret")}


class Registry(Served):
    """``rows``: webhooks of the service, the oldest first. ``forbidden``: the key may send and nothing else. ``changes``: method and path of
    every request that was to change something; ``content``: answered instead, to anything."""

    def __init__(self, kind: str) -> None:
        self.kind, self.rows, self.forbidden = kind, list[dict[str, Any]](), False
        self.changes: list[tuple[str, str]] = []
        self.content: bytes | None = None
        registry = self

        class Handler(Quiet):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = registry.answer(self.command, self.path, dict(self.headers), body)
                content = registry.content or (json.dumps(answer.content).encode() if answer.status != 204 else b"")
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json")
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_PUT = do_PATCH = do_GET

        super().__init__(Handler)

    def url(self) -> str:
        """The URL of a transport whose interface this is."""
        return f"{self.kind}://{KEYS.get(self.kind, 'secret')}@?api=http://127.0.0.1:{self.port}/{PATHS[self.kind]}"

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """What is answered, as documented."""
        path, _mark, query = path.partition("?")
        data = json.loads(body or b"{}")
        if method != "GET" and not path.endswith("list.json"):
            self.changes.append((method, path))
        name, key = _KEYS.get(self.kind, ("", ""))
        known = data.get("key") == "secret" if self.kind == "mandrill" else headers.get(name) == key
        if self.forbidden or not known:
            return Answer(500, {"status": "error", "code": -1, "name": "Invalid_Key", "message": "Invalid API key"}) if self.kind == "mandrill" else Answer(403, {"errors": [{"message": "Forbidden."}]})
        return getattr(self, f"_{self.kind}")(method, path, query, data)  # type: ignore[no-any-return]

    def _make(self, row: dict[str, Any], number: str = "id") -> dict[str, Any]:
        self.rows.append({number: len(self.rows) + 1, **row})
        return self.rows[-1]

    def _row(self, number: str, name: str = "id") -> dict[str, Any]:
        return next(row for row in self.rows if str(row[name]) == number)

    def _mailjet(self, method: str, path: str, _query: str, data: dict[str, Any]) -> Answer:
        assert path.startswith("/v3/REST/eventcallbackurl")
        if method == "GET":
            return Answer(200, {"Count": len(self.rows), "Data": self.rows, "Total": len(self.rows)})
        if method == "POST" and any(row["EventType"] == data["EventType"] and row["IsBackup"] == data["IsBackup"] for row in self.rows):
            return Answer(400, {"ErrorInfo": "", "ErrorMessage": "A resource with this key already exists", "StatusCode": 400})
        row = self._make({"APIKeyID": 1, **data}, "ID") if method == "POST" else self._row(path.rpartition("/")[2], "ID")
        row.update(data)
        return Answer(201 if method == "POST" else 200, {"Count": 1, "Data": [row], "Total": 1})

    def _sparkpost(self, method: str, path: str, _query: str, data: dict[str, Any]) -> Answer:
        if method == "GET":
            return Answer(200, {"results": self.rows})
        if len(data["name"]) > 24:
            return Answer(422, {"errors": [{"message": "required field is too long", "param": "name"}]})
        row = self._make(data) if method == "POST" else self._row(path.rpartition("/")[2])
        row.update(data)
        return Answer(200, {"results": {"id": row["id"], "links": []}})

    def _mandrill(self, method: str, path: str, _query: str, data: dict[str, Any]) -> Answer:
        assert method == "POST" and data.pop("key")
        if path.endswith("list.json"):
            return Answer(200, self.rows)
        row = self._make({"auth_key": f"auth-{len(self.rows) + 1}", "batches_sent": 0, **data}) if path.endswith("add.json") else self._row(str(data["id"]))
        row.update(data)
        return Answer(200, row)

    def _brevo(self, method: str, path: str, query: str, data: dict[str, Any]) -> Answer:
        if method == "GET":
            return Answer(200, {"webhooks": self.rows}) if query == "type=transactional" else Answer(400, {"code": "invalid_parameter", "message": "type"})
        if method == "POST":
            return Answer(201, {"id": self._make({**data, "events": sorted(data["events"])})["id"]})
        self._row(path.rpartition("/")[2]).update(data)
        return Answer(204, {})

    def _postmark(self, method: str, path: str, query: str, data: dict[str, Any]) -> Answer:
        if method == "GET":
            return Answer(200, {"Webhooks": [row for row in self.rows if query == f"MessageStream={row['MessageStream']}"]})
        row = self._make(data, "ID") if method == "POST" else self._row(path.rpartition("/")[2], "ID")
        row.update(data)
        row["Triggers"] = {"Open": {"Enabled": False, "PostFirstOpenOnly": False}, "Click": {"Enabled": False}, "Delivery": {"Enabled": False}, **row["Triggers"]}
        return Answer(200, row)

    def _resend(self, method: str, path: str, _query: str, data: dict[str, Any]) -> Answer:
        number = path.rpartition("/")[2]
        if method == "GET" and number == "webhooks":
            return Answer(200, {"object": "list", "has_more": False, "data": self.rows})
        if method == "POST":
            return Answer(201, {"object": "webhook", "id": self._make(data)["id"], "signing_secret": "whsec_c2VjcmV0"})
        row = self._row(number)
        row.update(data)
        return Answer(200, {"object": "webhook", **row, "signing_secret": "whsec_c2VjcmV0"})
