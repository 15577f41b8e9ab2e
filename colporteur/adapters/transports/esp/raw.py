"""Requests of services that take a message as it is. django-anymail makes the rest of each request.

Sources: SparkPost Transmissions API (content.email_rfc822, options), Mandrill messages/send-raw with its SMTP headers, Mailgun
messages.mime.
"""

from __future__ import annotations

import json
from email.utils import parseaddr
from typing import Any

from anymail.backends.mailgun import MailgunPayload
from anymail.backends.mandrill import MandrillPayload
from anymail.backends.sparkpost import SparkPostPayload


class SparkPost(SparkPostPayload):  # type: ignore[misc]
    """``transactional`` leaves our own List-Unsubscribe in place; without substitutions a ``{{`` of an author stays what it is."""

    def serialize_data(self) -> Any:
        """The request's body."""
        self._finalize_recipients()
        self.data["content"] = {"email_rfc822": self.message.whole.decode("utf-8")}
        self.data.setdefault("options", {}).update({"transactional": True, "perform_substitutions": False, "open_tracking": False, "click_tracking": False})
        return self.serialize_json(self.data)


class Mandrill(MandrillPayload):  # type: ignore[misc]
    """What has no field in send-raw travels in header fields that Mandrill reads and takes away."""

    def get_api_endpoint(self) -> str:
        """Relative to the interface's URL."""
        return "messages/send-raw.json"

    def serialize_data(self) -> Any:
        """The request's body."""
        given = self.data["message"]
        fields = f"X-MC-Metadata: {json.dumps(given.get('metadata', {}))}\r\nX-MC-Track: none\r\n"
        if subaccount := self.message.subaccount:
            fields += f"X-MC-Subaccount: {subaccount}\r\n"
        data = {"key": self.data["key"], "raw_message": fields + self.message.whole.decode("utf-8"), "to": [one["email"] for one in given["to"]], "async": False}
        data |= {"from_email": given["from_email"], "from_name": parseaddr(self.message.from_email)[0]}
        if "return_path_domain" in given:
            data["return_path_domain"] = given["return_path_domain"]
        return self.serialize_json(data)


class Mailgun(MailgunPayload):  # type: ignore[misc]
    """The message is a file of the form; of the fields only recipient, variables and options stand beside it."""

    def get_api_endpoint(self) -> str:
        """Relative to the interface's URL."""
        return f"{super().get_api_endpoint()}.mime"

    def serialize_data(self) -> Any:
        """The request's form."""
        super().serialize_data()
        self.files = [("message", ("message.eml", self.message.whole, "message/rfc822"))]
        return {key: value for key, value in self.data.items() if key == "to" or key[:2] in ("o:", "v:")}


PAYLOADS: dict[str, type] = {"sparkpost": SparkPost, "mandrill": Mandrill, "mailgun": Mailgun}
"""By the kind of service."""
