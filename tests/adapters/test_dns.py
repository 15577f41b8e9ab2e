"""DMARC look-ups against a DNS server of our own (RFC 9989)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from colporteur.adapters.dns import exchangers, policies, policy, texts

ZONES: dict[str, list[str]] = {
    "_dmarc.strict.org": ["v=DMARC1; p=reject; sp=quarantine; np=none"],
    "_dmarc.soft.org": ["v=DMARC1; p=none"],
    "_dmarc.testing.org": ["v=DMARC1; t=y; p=reject"],
    "_dmarc.mild.org": ["v=DMARC1;p=quarantine;t=y"],
    "_dmarc.two.org": ["v=DMARC1; p=reject", "v=DMARC1; p=none"],
    "_dmarc.late.org": ["p=reject; v=DMARC1"],
    "_dmarc.odd.org": ["v=DMARC1; p=perhaps; rua=mailto:x@odd.org"],
    "_dmarc.mixed.org": ["hello", "V=DMARC1 ; P=Quarantine ; unknown=1"],
    "_dmarc.upper.com": ["v=DMARC1; p=reject; psd=y"],
    "_dmarc.child.upper.com": ["v=DMARC1; p=none"],
    "_dmarc.unit.big.net": ["v=DMARC1; p=quarantine; psd=n"],
    "_dmarc.big.net": ["v=DMARC1; p=reject"],
    "rsa._domainkey.lists.org": ["v=DKIM1; k=rsa; p=" + "x" * 300],
    "_dmarc.g.h.i.j.k.deep.org": ["v=DMARC1; p=reject"],
}
EXIST = {"sub.strict.org", "a.sub.strict.org", "x.upper.com", "x.child.upper.com", "mail.unit.big.net", "a.b.c.d.e.f.g.h.i.j.k.deep.org"}
EXCHANGERS = {"many.org": ["20 Alt.Mail.example.", "10 mx.mail.example."], "none.org": ["0 ."]}
ASKED: list[str] = []


class Server(asyncio.DatagramProtocol):
    """Answers from ``ZONES``; silent about anything under silent.org, broken about broken.org."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        name = question.question[0].name.to_text(omit_final_dot=True).lower()
        ASKED.append(name)
        if name.endswith("silent.org"):
            return
        answer = dns.message.make_response(question)
        if name.endswith("broken.org"):
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif name in ZONES and question.question[0].rdtype == dns.rdatatype.TXT:
            answer.answer.append(dns.rrset.from_text_list(question.question[0].name, 60, "IN", "TXT", [f'"{text[:20]}" "{text[20:250]}" "{text[250:]}"' for text in ZONES[name]]))
        elif name in EXCHANGERS and question.question[0].rdtype == dns.rdatatype.MX:
            answer.answer.append(dns.rrset.from_text_list(question.question[0].name, 60, "IN", "MX", EXCHANGERS[name]))
        elif name not in EXIST:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), address)  # type: ignore[attr-defined]


def with_server(work: Callable[[dns.asyncresolver.Resolver], Awaitable[object]], lifetime: float = 30.0) -> object:
    """What comes of it with a resolver that asks our server; ``lifetime``: seconds until silence is one."""

    async def run() -> object:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
        resolver.lifetime = lifetime
        try:
            return await work(resolver)
        finally:
            transport.close()

    ASKED.clear()
    return asyncio.run(run())


@pytest.mark.parametrize(("domain", "wanted"), [
    ("strict.org", "reject"), ("sub.strict.org", "quarantine"), ("a.sub.strict.org", "quarantine"), ("not-there.strict.org", "none"), ("soft.org", "none"), ("testing.org", "quarantine"),
    ("mild.org", "none"), ("two.org", "none"), ("late.org", "none"), ("odd.org", "none"), ("mixed.org", "quarantine"), ("nothing.org", "none"), ("x.upper.com", "reject"),
    ("x.child.upper.com", "none"), ("mail.unit.big.net", "quarantine"), ("STRICT.org.", "reject"),
])  # fmt: skip
def test_the_policy_of_a_domain(domain: str, wanted: str) -> None:
    assert with_server(lambda resolver: policy(domain, resolver)) == wanted


def test_a_deep_name_is_asked_about_at_most_eight_times_from_seven_labels_down() -> None:
    deep = "a.b.c.d.e.f.g.h.i.j.k.deep.org"
    assert with_server(lambda resolver: policy(deep, resolver)) == "reject"
    walked = [name for name in ASKED if name.startswith("_dmarc.")]
    assert walked[:2] == [f"_dmarc.{deep}", "_dmarc.g.h.i.j.k.deep.org"] and len(walked) <= 8


def test_a_dns_that_does_not_answer_says_nothing_and_takes_little_time() -> None:
    found = with_server(lambda resolver: policies(["silent.org", "broken.org", "soft.org", "." * 300, "ex ample.org", "x" * 70 + ".org"], resolver), 1.5)
    assert dict(found)["silent.org"] is None and dict(found)["broken.org"] is None and dict(found)["soft.org"] == "none"  # type: ignore[call-overload]


def test_the_strings_of_a_record_are_joined_and_silence_is_not_absence() -> None:
    names = ["rsa._domainkey.lists.org", "_dmarc.two.org", "none._domainkey.lists.org", "x._domainkey.silent.org", "x._domainkey.broken.org", "x" * 70 + ".org"]
    found = dict(with_server(lambda resolver: texts(names, resolver), 1.5))  # type: ignore[call-overload]
    assert set(found.pop(names[1])) == {"v=DMARC1; p=reject", "v=DMARC1; p=none"}  # in no order
    assert found == {names[0]: ("v=DKIM1; k=rsa; p=" + "x" * 300,), names[2]: (), names[3]: None, names[4]: None, names[5]: ()}


def test_mail_exchangers_come_with_the_preferred_first() -> None:
    found = with_server(lambda resolver: exchangers(["many.org", "none.org", "nowhere.org", "broken.org", "sub.strict.org"], resolver))
    assert dict(found) == {"many.org": ["mx.mail.example", "alt.mail.example"], "none.org": [], "nowhere.org": [], "broken.org": None, "sub.strict.org": []}  # type: ignore[call-overload]
