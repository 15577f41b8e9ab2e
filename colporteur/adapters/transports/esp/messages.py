"""A prepared copy as django-anymail wants it: whole where the service takes it so, else text, HTML, attachments and fields."""

from __future__ import annotations

import email
import email.policy
import re
from email.encoders import encode_base64
from email.message import EmailMessage, MIMEPart
from email.mime.base import MIMEBase
from html import escape
from typing import Any

from anymail.message import AnymailMessage

from colporteur.adapters.transports import Outgoing, undotted
from colporteur.domain.services import METADATA, Account

_ORDERS = re.compile(rb"(?im)^x-(?:mc|msys|mailgun|mj|mailjet|smtpapi|sg|pm|sib|mailin|mt|resend|ses)(?:-[\w-]*)?:[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
"""Header fields by which services take orders: nobody who writes to a list gives any."""
_MADE_ANEW = frozenset(
    "from to cc bcc subject date sender reply-to return-path received delivered-to mime-version dkim-signature domainkey-signature authentication-results user-agent x-mailer"
    " arc-seal arc-message-signature arc-authentication-results resent-from resent-to resent-date received-spf content-language errors-to x-feedback-id".split()
)
_NOT_TAKEN = {"mailjet": frozenset({"message-id", "list-id", "x-csa-complaints"})}
"""Fields a service sets itself or refuses: its own documentation."""
_NOT_INLINE = frozenset({"brevo", "scaleway"})
_UNTRACKED = frozenset({"mailjet", "sparkpost", "mandrill", "mailgun", "postmark", "sendgrid", "mailersend"})
"""Services whose own counting of opens and clicks is switched off by request: only what the list's policy allows is counted, here."""


class Unfit(ValueError):
    """The service cannot carry this message; the text says why."""


def message_of(account: Account, copy: Outgoing) -> Any:
    """The copy as an ``AnymailMessage``; its ``whole`` is the message as it is, or None. Raises ``Unfit``."""
    raw = undotted(copy.wire)
    head, blank, body = raw.partition(b"\r\n\r\n")
    clean = _ORDERS.sub(b"", head + b"\r\n")[:-2] + blank + body
    recipient = copy.recipients[0].decode("utf-8")
    whole = account.service.raw and (account.kind == "mailgun" or _utf8(clean))
    made = _bare(clean, recipient) if whole else _parts(account, clean, recipient)
    made.whole, made.subaccount = clean if whole else None, account.options.get("subaccount", "")
    if copy.token and account.service.echoes:
        made.metadata = {METADATA: copy.token}
    if copy.bulk and account.kind != "mandrill":  # who knows a hundred tags in all
        made.tags = [f"colporteur-{copy.key[0]}"]
    if account.kind in _UNTRACKED:
        made.track_opens = made.track_clicks = False
    if return_path := account.options.get("return-path"):
        made.envelope_sender = f"bounces@{return_path}"
    if account.kind == "sparkpost" and not whole:
        made.esp_extra = {"options": {"transactional": True, "perform_substitutions": False}}
    return made


def _utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _bare(raw: bytes, recipient: str) -> Any:
    """Sender and recipient alone; the rest is in the message itself."""
    head = email.message_from_bytes(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", policy=email.policy.default)
    return AnymailMessage(subject="", body="", from_email=_sender(head), to=[recipient])


def _sender(message: EmailMessage) -> str:
    addresses = getattr(message["From"], "addresses", ())
    if not addresses:
        raise Unfit("the message has no sender a service could use")
    return str(addresses[0])


def _parts(account: Account, raw: bytes, recipient: str) -> Any:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    if message.get_content_type() in ("multipart/signed", "multipart/encrypted", "application/pkcs7-mime"):
        raise Unfit(f"{account.service.title} takes messages apart: one that is signed or encrypted by its author would not be whole. Use an SMTP service for this list")
    texts, htmls, files = _sorted(message)
    made = AnymailMessage(subject=" ".join(str(message["Subject"] or "").split()), body="\n".join(texts), from_email=_sender(message), to=[recipient])
    if htmls:
        later = "".join(f'<div style="white-space:pre-wrap">{escape(text)}</div>' for text in texts[1:])  # a footer put behind the message
        made.attach_alternative("\n".join(htmls) + later, "text/html")
    for part in files:
        made.attach(_file(part, inline=account.kind not in _NOT_INLINE))
    made.reply_to = [str(one) for one in getattr(message["Reply-To"], "addresses", ())][:1]
    skip = _MADE_ANEW | _NOT_TAKEN.get(account.kind, frozenset())
    made.extra_headers = {name: " ".join(str(value).split()) for name, value in reversed(message.items()) if name.lower() not in skip and not name.lower().startswith("content-")}
    if account.kind == "postmark":
        made.extra_headers["X-PM-KeepID"] = "true"
    return made


def _sorted(message: EmailMessage) -> tuple[list[str], list[str], list[MIMEPart]]:
    """Texts and HTML that are read, and everything else. Of a message with both the text is another form of the HTML."""
    texts: list[str] = []
    htmls: list[str] = []
    files: list[MIMEPart] = []
    for part in _leaves(message):
        kind, shown = part.get_content_type(), part.get_content_disposition() != "attachment" and not part.get_filename()
        if shown and kind == "text/plain":
            texts.append(_text(part))
        elif shown and kind == "text/html":
            htmls.append(_text(part))
        else:
            files.append(part)
    return texts, htmls, files


def _leaves(part: Any) -> list[Any]:
    """Parts that are no containers; a message in the message stays one."""
    if part.is_multipart() and part.get_content_maintype() == "multipart":
        return [leaf for child in part.iter_parts() for leaf in _leaves(child)]
    return [part]


def _text(part: Any) -> str:
    try:
        found = part.get_content()
    except (LookupError, ValueError, KeyError):
        found = (part.get_payload(decode=True) or b"").decode("utf-8", "replace")
    return str(found).replace("\r\n", "\n")


def _file(part: Any, *, inline: bool) -> MIMEBase:
    """An attachment; with its Content-ID where the service shows pictures in place."""
    made = MIMEBase(part.get_content_maintype(), part.get_content_subtype())
    if part.get_content_type() == "message/rfc822":
        content = part.get_payload(0).as_bytes() if part.is_multipart() else bytes(part.get_payload(decode=True) or b"")
    else:
        content = bytes(part.get_payload(decode=True) or b"")
    made.set_payload(content)
    encode_base64(made)
    shown = inline and "Content-ID" in part and part.get_content_disposition() != "attachment"
    made.add_header("Content-Disposition", "inline" if shown else "attachment", filename=part.get_filename() or "attachment")
    if shown:
        made["Content-ID"] = str(part["Content-ID"]).strip()
    return made
