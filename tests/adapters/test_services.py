"""Services with an interface of their own: what they get, and what their answers mean."""

from __future__ import annotations

import base64
import email
import email.policy
import socket
from email.message import EmailMessage

import pytest

from colporteur.adapters.transports import Outgoing, Stage, open_transport
from colporteur.adapters.transports.esp import answers, sending
from colporteur.domain.bounces import classify
from colporteur.domain.trouble import likeness
from tests.adapters.feeding import copy, feed_to, run, send
from tests.servers.services import Answer, Services

SERVICES = ("mailjet", "sparkpost", "mandrill")


def newsletter(*, number: int = 1, recipient: str = "ann@members.example") -> Outgoing:
    """A copy with text, HTML, a picture in it, a file, and the fields a list adds."""
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"], message["To"], message["Subject"] = "Élan <news@lists.example>", recipient, "Été à Évian"
    message["Reply-To"], message["Message-ID"], message["Date"] = "office@lists.example", "<1@lists.example>", "Mon, 01 Jun 2026 10:00:00 +0000"
    message["List-Unsubscribe"], message["List-Unsubscribe-Post"], message["List-Id"] = "<https://lists.example/u/t0ken>", "List-Unsubscribe=One-Click", "<news.lists.example>"
    message["X-MC-BccAddress"] = "spy@evil.example"
    message["X-Mailjet-Campaign"] = "theirs"
    message.set_content("Bonjour {{name}}\n.\n")
    message.add_alternative('<p>Bonjour <img src="cid:logo@x" alt=""></p>', subtype="html")
    html = message.get_payload()[1]  # type: ignore[index]
    html.add_related(b"PNG", "image", "png", cid="<logo@x>")  # type: ignore[union-attr]
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="été.pdf")
    made = Outgoing((77, number), b"b+tok@lists.example", (recipient.encode(),), message.as_bytes().replace(b"\r\n.", b"\r\n.."))
    made.token, made.bulk = f"tok{number}", True
    return made


class TestRequests:
    def test_sparkpost_gets_our_bytes_and_leaves_them_alone(self) -> None:
        with Services() as services:
            assert send(open_transport(services.url("sparkpost"), 1), [newsletter()]).results() == ["SENT"]
            (taken,) = services.taken
        assert taken.token == "tok1" and taken.request["campaign_id"] == "colporteur-77" and "X-MC-" not in taken.raw.decode()
        assert taken.request["options"] == {"transactional": True, "perform_substitutions": False, "open_tracking": False, "click_tracking": False}
        message = email.message_from_bytes(taken.raw, policy=email.policy.default)
        assert message["List-Unsubscribe"] and message["Message-ID"] == "<1@lists.example>" and "\r\n.\r\n" in taken.raw.decode()

    def test_mandrill_gets_our_bytes_and_reads_the_token_from_a_field(self) -> None:
        with Services() as services:
            assert send(open_transport(services.url("mandrill") + "&return-path=back.lists.example", 1), [newsletter()]).results() == ["SENT"]
            (taken,) = services.taken
        assert taken.token == "tok1" and taken.request["return_path_domain"] == "back.lists.example" and taken.request["from_name"] == "Élan"
        message = email.message_from_bytes(taken.raw, policy=email.policy.default)
        assert message["X-MC-Track"] == "none" and "spy@evil.example" not in taken.raw.decode() and message["Subject"] == "Été à Évian"

    def test_mailjet_gets_the_parts_and_the_fields_it_takes(self) -> None:
        with Services() as services:
            assert send(open_transport(services.url("mailjet"), 1), [newsletter()]).results() == ["SENT"]
            got = services.taken[0].request
        assert services.taken[0].token == "tok1" and got["CustomCampaign"] == "colporteur-77" and (got["TrackOpens"], got["TrackClicks"]) == ("disabled", "disabled")
        assert (got["From"], got["ReplyTo"], got["Subject"]) == ({"Email": "news@lists.example", "Name": "Élan"}, {"Email": "office@lists.example"}, "Été à Évian")
        assert got["TextPart"] == "Bonjour {{name}}\n.\n" and "cid:logo@x" in got["HTMLPart"]
        assert got["Headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" and not {"List-Id", "Message-ID", "X-Mailjet-Campaign", "X-MC-BccAddress"} & set(got["Headers"])
        (picture,), (file,) = got["InlinedAttachments"], got["Attachments"]
        assert picture["ContentID"] == "logo@x" and base64.b64decode(file["Base64Content"]) == b"%PDF" and file["Filename"] == "été.pdf"

    def test_a_message_its_author_signed_waits_for_another_service(self) -> None:
        signed = copy(wire=b'From: a@lists.example\r\nContent-Type: multipart/signed; boundary=x\r\n\r\n--x\r\n\r\na\r\n--x--\r\n')
        with Services() as services:
            sent = send(open_transport(services.url("mailjet"), 1), [signed])
            assert sent.trouble and sent.trouble.stage is Stage.SENDER and sent.results() == ["UNSENT"] and not services.taken

    def test_bytes_that_are_no_utf8_reach_sparkpost_in_parts(self) -> None:
        wire = b"From: a@lists.example\r\nSubject: x\r\nContent-Type: text/plain; charset=latin-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xe9t\xe9\r\n"
        with Services() as services:
            assert send(open_transport(services.url("sparkpost"), 1), [copy(wire=wire)]).results() == ["SENT"]
            assert services.taken[0].request["content"]["text"] == "été\n" and services.taken[0].request["options"]["transactional"]


class TestAnswers:
    @pytest.mark.parametrize("kind", SERVICES)
    def test_a_wrong_key_is_the_accounts_trouble_and_is_never_shown(self, kind: str) -> None:
        with Services() as services:
            transport = open_transport(services.url(kind, "wrongkey:wrongsecret" if kind == "mailjet" else "wrongsecret"), 3)
            sent = send(transport, [copy(n) for n in range(1, 6)])
            assert sent.trouble and sent.trouble.stage is Stage.AUTH and not sent.trouble.temporary and set(sent.results()) == {"UNSENT"}
            assert "wrongsecret" not in str(sent.trouble)

    @pytest.mark.parametrize("kind", SERVICES)
    def test_a_used_up_quota_is_a_passing_trouble(self, kind: str) -> None:
        with Services() as services:
            services.quota = 3
            sent = send(open_transport(services.url(kind), 1), [copy(n) for n in range(1, 6)])
            assert sent.results()[:4] == ["SENT", "SENT", "SENT", "UNSENT"] and sent.trouble and sent.trouble.temporary

    @pytest.mark.parametrize("kind", SERVICES)
    def test_a_sender_that_is_not_verified_stops_the_mailing_alone(self, kind: str) -> None:
        with Services() as services:
            services.unverified = {"lists.example"}
            sent = send(open_transport(services.url(kind), 1), [copy()])
            assert sent.trouble and sent.trouble.stage is Stage.SENDER and sent.trouble.key == (1, 1) and sent.results() == ["UNSENT"]

    @pytest.mark.parametrize("kind", SERVICES)
    def test_an_address_that_cannot_be_one_fails_alone(self, kind: str) -> None:
        with Services() as services:
            sent = send(open_transport(services.url(kind), 1), [copy(1, recipient="bad@members.example"), copy(2)])
            assert sent.results() == ["FAILED", "SENT"] and sent.trouble is None and sent.outcomes[1].text.startswith("5.1.3 ")

    def test_a_suppressed_recipient_fails_with_words_that_blame_nobody(self) -> None:
        with Services() as services:
            services.suppressed = {"m1@members.example": "hard-bounce"}
            outcome = send(open_transport(services.url("mandrill"), 1), [copy()]).outcomes[1]
            assert outcome.result.name == "FAILED" and "suppression list" in outcome.text
            assert classify("", outcome.code, outcome.text).reason == "suppressed"
            assert likeness(outcome.code, outcome.text) is None, "many of them in a row stop no mailing"

    @pytest.mark.parametrize(
        ("kind", "status", "said", "reason"),
        [
            ("postmark", 422, {"ErrorCode": 406, "Message": "You tried to send to a recipient that has been marked as inactive. Found inactive addresses: m1@members.example. Inactive recipients are ones that have generated a hard bounce, a spam complaint, or a manual suppression."}, "suppressed"),
            ("mailersend", 202, {"message": "There are some warnings for your request.", "warnings": [{"type": "ALL_SUPPRESSED", "recipients": [{"email": "m1@members.example", "name": "", "reasons": ["hard_bounced"]}]}]}, "suppressed"),
            ("sparkpost", 400, {"errors": [{"message": "Message generation rejected", "description": "recipient address suppressed due to customer policy", "code": "1902"}]}, "suppressed"),
            ("mandrill", 200, [{"email": "m1@members.example", "status": "rejected", "reject_reason": "global-block", "_id": "a"}], "suppressed"),
            ("mandrill", 200, [{"email": "m1@members.example", "status": "rejected", "reject_reason": "unsub", "_id": "a"}], "suppressed"),
            ("scaleway", 400, {"message": "recipient is in the blocklist", "type": "invalid_arguments"}, "suppressed"),
            ("mailgun", 400, {"message": "to parameter is not a valid address. please check documentation"}, "no_mailbox"),
            ("brevo", 400, {"code": "invalid_parameter", "message": "email is not valid in to"}, "no_mailbox"),
        ],
    )  # fmt: skip
    def test_each_services_way_to_say_that_it_writes_no_more_to_somebody(self, kind: str, status: int, said: object, reason: str) -> None:
        with Services() as services:
            services.next.append(Answer(status, said))
            sent = send(open_transport(services.url(kind), 1), [copy()])
        assert sent.results() == ["FAILED"] and sent.trouble is None
        assert classify("", sent.outcomes[1].code, sent.outcomes[1].text).reason == reason

    @pytest.mark.parametrize(("status", "result", "stage"), [(500, "UNSENT", Stage.CONNECT), (503, "UNSENT", Stage.CONNECT), (502, "UNKNOWN", Stage.CONNECT), (302, "UNSENT", Stage.CONNECT), (413, "FAILED", None), (418, "FAILED", None)])
    def test_other_statuses(self, status: int, result: str, stage: Stage | None) -> None:
        with Services() as services:
            services.next.append(Answer(status, {"errors": [{"message": "message too large" if status == 413 else "oh"}]}, {"Location": "http://127.0.0.1:1/"}))
            sent = send(open_transport(services.url("sparkpost"), 1), [copy()])
            assert sent.results() == [result] and (sent.trouble.stage if sent.trouble else None) is stage

    def test_asked_to_be_slower_it_gives_the_copy_back_and_goes_on_by_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sending, "_FIRST_WAIT", 0.01)
        with Services() as services:
            services.next.extend([Answer(429, {"errors": [{"message": "Too many requests"}]})] * 2)
            transport = open_transport(services.url("sparkpost"), 4)

            async def work() -> list[str]:
                first = await feed_to(transport, [copy(1)])
                second = await feed_to(transport, [copy(2)])
                third = await feed_to(transport, [copy(3)])
                await transport.close()
                return first.results() + second.results() + third.results()

            assert run(work()) == ["UNSENT", "UNSENT", "SENT"] and len(services.taken) == 1

    def test_a_long_wait_is_a_trouble_of_the_service(self) -> None:
        with Services() as services:
            services.next.append(Answer(429, {}, {"Retry-After": str(int(answers.NO_WAIT) + 1)}))
            sent = send(open_transport(services.url("sparkpost"), 1), [copy()])
            assert sent.trouble and sent.trouble.temporary and sent.results() == ["UNSENT"]

    def test_a_connection_lost_before_the_answer_leaves_the_outcome_unknown(self) -> None:
        with Services() as services:
            services.before = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
            sent = send(open_transport(services.url("sparkpost"), 1), [copy()])
            assert sent.results() == ["UNKNOWN"] and sent.trouble and sent.trouble.temporary

    def test_an_endless_answer_is_not_read_to_its_end(self) -> None:
        with Services() as services:
            services.next.append(Answer(200, {"results": "x" * 400_000}))
            assert send(open_transport(services.url("sparkpost"), 1), [copy()]).results() == ["UNKNOWN"]

    def test_it_tells_what_is_left(self) -> None:
        with Services() as services:
            assert "today: 0 of 10000" in run(open_transport(services.url("sparkpost"), 1).check())
            assert "5000 an hour" in run(open_transport(services.url("mandrill"), 1).check())
