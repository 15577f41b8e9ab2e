"""The SMTP client against a server that misbehaves by script (reliability P9)."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from colporteur.adapters.transports import Outgoing, Stage, open_transport
from colporteur.adapters.transports.smtp import SmtpTransport
from colporteur.adapters.transports.smtp.options import Timeouts, read
from tests.adapters.feeding import copy, feed_to, run, send
from tests.servers.ports import free_port, wait_until
from tests.servers.sink import Drop, Session, Silent, Sink


def smtp(sink: Sink, words: str = "", *, connections: int = 4, user: str = "", **seconds: float) -> SmtpTransport:
    """A client for the sink."""
    return SmtpTransport(read(f"smtp://{user}127.0.0.1:{sink.port}{words}"), connections, Timeouts(**seconds))


def answers(event: str, answer: object, *, only: object = None) -> object:
    """A script that gives one answer at one event (for one argument)."""

    def script(happened: str, argument: str, session: Session) -> object:
        return answer if happened == event and only in (None, argument) else None

    return script


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True,
    )  # fmt: skip
    return folder


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


@pytest.mark.parametrize("extensions", [("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 100000"), ()], ids=["pipelining", "step by step"])
def test_every_copy_arrives_once_with_its_own_envelope(extensions: tuple[str, ...]) -> None:
    with Sink(extensions=extensions) as sink:
        sent = send(smtp(sink), [copy(n, sender=f"b+{n}@lists.example") for n in range(1, 101)])
    assert sent.results() == ["SENT"] * 100
    assert sorted((one.sender, one.recipient) for one in sink.taken) == sorted((f"b+{n}@lists.example", f"m{n}@members.example") for n in range(1, 101))
    assert sink.repeated() == 0 and 1 <= sink.most_open <= 4


def test_without_pipelining_no_command_is_sent_before_the_reply() -> None:
    asked: list[str] = []

    def script(event: str, argument: str, session: Session) -> None:
        asked.append(event)

    with Sink(script, extensions=()) as sink:
        send(smtp(sink, connections=1), [copy(1), copy(2)])
        wait_until(lambda: sink.sessions[0].commands[-1] == "QUIT")
        envelope = "MAIL FROM:<list-bounces@lists.example>"
        assert sink.sessions[0].commands[1:-1] == [envelope, "RCPT TO:<m1@members.example>", "DATA", envelope, "RCPT TO:<m2@members.example>", "DATA"]
    assert asked == ["CONNECT", "EHLO", *["MAIL", "RCPT", "DATA", "BODY"] * 2]


def test_half_of_the_recipients_refused_the_others_arrive() -> None:
    def script(event: str, argument: str, session: Session) -> str | None:
        return "550 5.1.1 No such user" if event == "RCPT" and int(argument[1:].split("@")[0]) % 2 else None

    for extensions in (("PIPELINING",), ()):
        with Sink(script, extensions=extensions) as sink:
            sent = send(smtp(sink), [copy(n) for n in range(1, 41)])
        assert sent.results() == ["FAILED", "SENT"] * 20
        assert (sent.outcomes[1].code, sent.outcomes[1].text) == (550, "5.1.1 No such user")
        assert len(sink.taken) == 20


def test_data_accepted_although_the_recipient_was_refused_nothing_of_the_message_is_sent() -> None:
    def script(event: str, argument: str, session: Session) -> str | None:
        if event == "RCPT" and argument.startswith("m1@"):
            return "550 5.7.1 Not you"
        return "354 Go on" if event == "DATA" else None

    with Sink(script) as sink:
        sent = send(smtp(sink, connections=1), [copy(1), copy(2)])
        assert sink.sessions[0].data == copy(2).wire
    assert sent.results() == ["FAILED", "SENT"] and [one.recipient for one in sink.taken] == ["m2@members.example"]


@pytest.mark.parametrize(("event", "answer", "result"), [
    ("RCPT", "450 4.2.0 Later", "DEFERRED"), ("RCPT", "550 5.1.1 Never", "FAILED"), ("RCPT", "552 5.2.2 Full", "DEFERRED"), ("DATA", "451 4.3.0 Later", "DEFERRED"),
    ("DATA", "554 5.7.1 Never", "FAILED"), ("BODY", "452 4.3.1 Later", "DEFERRED"), ("BODY", "554 5.6.0 Never", "FAILED"), ("BODY", "421 4.3.2 Going down", "DEFERRED"),
    ("MAIL", "552 5.3.4 Too big", "FAILED"),
])  # fmt: skip
def test_a_refusal_is_the_copys_own_and_the_next_one_arrives(event: str, answer: str, result: str) -> None:
    asked: list[str] = []

    def script(happened: str, argument: str, session: Session) -> str | None:
        asked.append(happened)
        return answer if happened == event and asked.count(event) == 1 else None

    with Sink(script) as sink:
        sent = send(smtp(sink, connections=1), [copy(1), copy(2), copy(3)])
    assert sent.trouble is None and sent.results() == [result, "SENT", "SENT"]
    assert sent.outcomes[1].code == int(answer[:3])


@pytest.mark.parametrize(("event", "answer", "stage", "temporary"), [
    ("CONNECT", "554 5.7.1 Go away", Stage.GREETING, False), ("CONNECT", "421 4.3.2 Busy", Stage.GREETING, True), ("CONNECT", Drop(), Stage.GREETING, True),
    ("EHLO", "550 5.7.1 No", Stage.GREETING, False), ("MAIL", "553 5.7.1 Not your address", Stage.SENDER, False), ("MAIL", "451 4.7.1 Slowly", Stage.SENDER, True),
    ("MAIL", "421 4.7.0 Not now", Stage.CONNECT, True), ("CONNECT", b"hello\r\n", Stage.GREETING, True),
])  # fmt: skip
def test_refused_before_a_recipient_is_named_the_copies_are_untouched(event: str, answer: object, stage: Stage, temporary: bool) -> None:
    with Sink(answers(event, answer)) as sink:  # type: ignore[arg-type]
        sent = send(smtp(sink), [copy(n) for n in range(1, 11)])
    assert sent.trouble and (sent.trouble.stage, sent.trouble.temporary) == (stage, temporary)
    assert set(sent.results()) <= {"UNSENT"} and not sink.taken
    if isinstance(answer, str):
        assert f"{sent.trouble.code} {sent.trouble.text}" == answer


def test_nobody_listens() -> None:
    sent = send(open_transport(f"smtp://127.0.0.1:{free_port()}", 3), [copy(1), copy(2)])
    assert sent.trouble and sent.trouble.stage is Stage.CONNECT and sent.trouble.temporary


def test_lost_after_the_data_is_unknown_and_never_failed() -> None:
    def script(event: str, argument: str, session: Session) -> Drop | None:
        return Drop(keep=True) if event == "BODY" and session.recipients == ["m3@members.example"] else None

    with Sink(script) as sink:
        sent = send(smtp(sink, connections=2), [copy(n) for n in range(1, 11)])
    assert sent.outcomes[3].result.name == "UNKNOWN" and sent.outcomes[3].code == 0
    assert [name for number, name in enumerate(sent.results(), 1) if number != 3] == ["SENT"] * 9
    assert sink.repeated() == 0


def test_a_server_that_says_421_after_some_messages_is_called_again() -> None:
    def script(event: str, argument: str, session: Session) -> Drop | None:
        return Drop("421 4.7.0 Enough for this connection") if event == "MAIL" and session.taken >= 3 else None

    with Sink(script) as sink:
        sent = send(smtp(sink, connections=2), [copy(n) for n in range(1, 31)])
    assert sent.trouble is None and sent.results() == ["SENT"] * 30 and sink.repeated() == 0


def test_a_recipient_over_whom_connections_die_is_put_off_and_others_arrive() -> None:
    with Sink(answers("RCPT", Drop(), only="m5@members.example")) as sink:  # type: ignore[arg-type]
        sent = send(smtp(sink, connections=1), [copy(n) for n in range(1, 11)])
    assert sent.results() == ["SENT"] * 4 + ["DEFERRED"] + ["SENT"] * 5


def test_a_server_that_takes_only_two_connections_gets_two() -> None:
    def script(event: str, argument: str, session: Session) -> Drop | None:
        return Drop("421 4.7.0 Too many connections") if event == "CONNECT" and sink.open > 2 else None

    with Sink(script) as sink:
        sent = send(smtp(sink, connections=10), [copy(n) for n in range(1, 101)])
    assert sent.trouble is None and sent.results() == ["SENT"] * 100


def test_replies_of_many_lines_and_in_odd_portions() -> None:
    reply = b"250-first\r\n250-second\r\n250 third\r\n"

    def script(event: str, argument: str, session: Session) -> bytes | None:
        refused = b"554-first\n554-second\n554 third\n" if event == "BODY" and session.recipients == ["m3@members.example"] else None
        return refused or {"MAIL": reply, "RCPT": reply, "BODY": reply}.get(event)

    with Sink(script) as sink:
        sent = send(smtp(sink), [copy(n) for n in range(1, 6)])
    assert sent.results() == ["SENT", "SENT", "FAILED", "SENT", "SENT"] and sent.outcomes[3].text == "first second third"


def test_replies_byte_by_byte_are_the_same_replies() -> None:
    with Sink() as sink:

        async def work() -> list[str]:
            async def slowly(source: asyncio.StreamReader, drain: asyncio.StreamWriter, portion: int) -> None:
                while data := await source.read(portion):
                    drain.write(data)
                    await drain.drain()
                drain.close()

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                upstream = await asyncio.open_connection("127.0.0.1", sink.port)
                await asyncio.gather(slowly(reader, upstream[1], 65536), slowly(upstream[0], writer, 1))

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            transport = open_transport(f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}", 2)
            sent = await feed_to(transport, [copy(n) for n in range(1, 21)])
            await transport.close()
            server.close()
            return sent.results()

        assert run(work()) == ["SENT"] * 20 and sink.repeated() == 0


def test_a_silent_server_is_given_up_after_its_time_and_does_not_delay_others() -> None:
    def script(event: str, argument: str, session: Session) -> Silent | None:
        return Silent() if event == "BODY" and session.recipients == ["m2@members.example"] else None

    with Sink(script) as sink:
        sent = send(smtp(sink, connections=2, accept=2.0, slowest=1e9), [copy(n) for n in range(1, 21)])
    assert sent.outcomes[2].result.name == "UNKNOWN" and sent.results().count("SENT") == 19


@pytest.mark.parametrize("event", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_server_silent_before_the_data_is_a_trouble_in_time(event: str) -> None:
    with Sink(answers(event, Silent())) as sink:  # type: ignore[arg-type]
        sent = send(smtp(sink, connections=1, greeting=0.2, command=0.2, data=0.2), [copy(1)])
    assert sent.trouble is not None or sent.results() == ["DEFERRED"]
    assert not sink.taken


def test_starttls_and_tls_with_and_without_a_good_certificate(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extensions = ("PIPELINING", "STARTTLS")
    for words, implicit in (("?tls=starttls&verify=no", False), ("?tls=ssl&verify=no", True)):
        with Sink(extensions=extensions, context=server_tls(certificate), implicit=implicit) as sink:
            assert send(smtp(sink, words), [copy(1), copy(2)]).results() == ["SENT", "SENT"]
            assert all(session.secured for session in sink.sessions)
            refused = send(smtp(sink, words.replace("no", "yes")), [copy(1)])
            assert refused.trouble and refused.trouble.stage is Stage.TLS and not refused.trouble.temporary
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    with Sink(extensions=extensions, context=server_tls(certificate)) as sink:
        assert send(smtp(sink, "?tls=starttls"), [copy(1)]).results() == ["SENT"]


@pytest.mark.parametrize(("extensions", "answer"), [(("STARTTLS",), "454 4.7.0 TLS not available"), ((), None), (("STARTTLS",), b"220 Go\r\n250 injected\r\n")], ids=["refused", "not offered", "injected"])
def test_never_a_message_in_the_clear_where_tls_is_wanted(extensions: tuple[str, ...], answer: object) -> None:
    with Sink(answers("STARTTLS", answer), extensions=extensions) as sink:  # type: ignore[arg-type]
        sent = send(smtp(sink, "?tls=starttls&verify=no"), [copy(1)])
        assert not any(word.startswith("MAIL") for session in sink.sessions for word in session.commands)
    assert sent.trouble and sent.trouble.stage is Stage.TLS


@pytest.mark.parametrize("offered", ["AUTH PLAIN LOGIN", "AUTH LOGIN"])
def test_signing_in(offered: str) -> None:
    with Sink(extensions=("PIPELINING", offered), users={"anna@x": "p:ä/?"}) as sink:
        assert send(smtp(sink, user="anna%40x:p%3A%C3%A4%2F%3F@"), [copy(1)]).results() == ["SENT"]
        wrong = send(smtp(sink, user="anna%40x:no@"), [copy(1)])
    assert wrong.trouble and (wrong.trouble.stage, wrong.trouble.code, wrong.trouble.temporary) == (Stage.AUTH, 535, False)


def test_size_eight_bits_and_utf8_are_announced_only_where_offered() -> None:
    wire = "Subject: n\r\n\r\nHé\r\n".encode()
    with Sink(extensions=("PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8")) as sink:
        sent = send(smtp(sink, connections=1), [copy(1, wire=wire), copy(2, recipient="zoé@members.example"), copy(3, wire=b"x" * 2000 + b"\r\n"), copy(4)])
        mails = [word for word in sink.sessions[0].commands if word.startswith("MAIL")]
    assert sent.results() == ["SENT", "SENT", "FAILED", "SENT"] and sent.outcomes[3].code == 552
    assert mails[0].endswith(f"SIZE={len(wire)} BODY=8BITMIME") and mails[1].endswith("SMTPUTF8") and mails[2].count(" ") == 2
    with Sink(extensions=("PIPELINING",)) as sink:
        sent = send(smtp(sink, connections=1), [copy(1, wire=wire), copy(2, recipient="zoé@members.example"), copy(3, utf8=True)])
        assert sink.sessions[0].commands[1] == "MAIL FROM:<list-bounces@lists.example>"
    assert sent.results() == ["SENT", "FAILED", "FAILED"]


@pytest.mark.parametrize("wire", [b"a\r\n.\r\nMAIL FROM:<x@y>\r\n", b".\r\n", b"a\n.\nb\r\n", b"a\r.\r\n", b"a\r\nno end", b"a\n.\r\nb\r\n", b"a\r.\rb\r\n", b"a\nb\r\n", b".a\r\n"])
def test_smuggling_is_impossible(wire: bytes) -> None:
    with Sink() as sink:
        sent = send(smtp(sink, connections=1), [copy(1, wire=wire), copy(2, mailing=2)])
    assert sent.results() == ["FAILED", "SENT"] and len(sink.taken) == 1


@pytest.mark.parametrize("address", ["a@b\r\nRCPT TO:<x@y>", "a@b> SIZE=1", "a b@c", "a\x00@b", "", "<a@b>"])
def test_an_address_never_becomes_a_command(address: str) -> None:
    with Sink() as sink:
        bad = Outgoing((1, 1), b"s@lists.example", (address.encode(),), copy(1).wire)
        sent = send(smtp(sink, connections=1), [bad, copy(2), Outgoing((1, 3), (address or "\r").encode(), (b"m3@members.example",), copy(3).wire)])
        assert [one.recipient for one in sink.taken] == ["m2@members.example"]
    assert sent.results() == ["FAILED", "SENT", "FAILED"]


def test_the_null_sender_is_a_sender() -> None:
    with Sink() as sink:
        assert send(smtp(sink), [copy(1, sender="")]).results() == ["SENT"]
    assert sink.taken[0].sender == ""


def test_connections_are_kept_between_runs_and_ended_when_nobody_needs_them() -> None:
    async def work() -> None:
        transport = smtp(sink, connections=3, idle=60.0)
        await feed_to(transport, [copy(n) for n in range(1, 20)])
        await feed_to(transport, [copy(n) for n in range(20, 40)])
        await transport.close()

    with Sink() as sink:
        run(work())
        assert len(sink.taken) == 39 and len(sink.sessions) <= 3
        wait_until(lambda: all(session.commands[-1] == "QUIT" for session in sink.sessions))


def test_check_says_what_the_server_is_or_why_not() -> None:
    with Sink() as sink:
        assert "sink.test" in run(smtp(sink).check()) and "PIPELINING" in run(smtp(sink).check())
    with Sink(answers("CONNECT", "554 5.7.1 Not you")) as sink, pytest.raises(Exception, match="Not you"):  # type: ignore[arg-type]
        run(smtp(sink).check())


@pytest.mark.parametrize(("url", "words"), [
    ("smtp://", "names no server"), ("smtp://h?tls=maybe", "tls="), ("smtp://h?x=1", "not an option"), ("smtp://h:99999", "port"), ("smtp://h?verify=perhaps", "verify"),
    ("smtp://h?helo=a%0d%0ab", "without spaces"), ("gopher://h", "not a kind"), ("folder://h/x", "absolute"), ("smtp://u%00:p@h", "NUL"),
])  # fmt: skip
def test_a_url_that_cannot_be_used_says_what_to_write(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        open_transport(url, 1)


@pytest.mark.parametrize(("url", "tls", "port"), [
    ("smtp://relay.example", "starttls", 25), ("smtp://u:p@relay.example", "starttls", 587), ("smtp://127.0.0.1", "none", 25), ("smtp://relay.example:465", "ssl", 465),
    ("smtps://u:p@relay.example", "ssl", 465),
])  # fmt: skip
def test_what_a_url_means_when_it_says_little(url: str, tls: str, port: int) -> None:
    assert (read(url).tls, read(url).port) == (tls, port)


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()], ids=["pipelining", "step by step"])
def test_a_connection_carries_no_more_to_a_destination_than_it_counts(extensions: tuple[str, ...]) -> None:
    copies = [copy(n) for n in range(1, 41)]
    for one in copies[::2]:
        one.cap = (7, 5)
    with Sink(extensions=extensions) as sink:
        sent = send(smtp(sink, connections=2), copies)
        assert sent.results() == ["SENT"] * 40 and sink.repeated() == 0
        capped = [sum(f"RCPT TO:<m{one.key[1]}@members.example>" in session.commands for one in copies[::2]) for session in sink.sessions]
        assert max(capped) == 5 and sum(capped) == 20
        wait_until(lambda: all(session.commands[-1] == "QUIT" for session in sink.sessions))
