"""Whose fault a refusal is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colporteur.domain.bounces import REASONS, TABLE, Kind, Severity, classify, decide, verdict_of

CASES = [
    ("no_mailbox", "5.1.1", 550, "550 5.1.1 <x@y.fr>: Recipient address rejected: User unknown in virtual mailbox table"),
    ('no_mailbox', '5.1.1', 550, "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the recipient's email address for typos or 550-5.1.1 unnecessary spaces. NoSuchUser gsmtp"),
    ('full', '5.2.2', 552, "552-5.2.2 The recipient's inbox is out of storage space. OverQuotaPerm gsmtp"),
    ("disabled", "5.2.1", 550, "550 5.2.1 The email account that you tried to reach is disabled. DisabledUser"),
    ("reputation", "5.7.1", 550, "550-5.7.1 [1.2.3.4 12] Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam sent to Gmail"),
    ("authentication", "5.7.26", 550, "550-5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM."),
    ("no_mailbox", "5.4.1", 550, "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [VE1EUR02FT049.eop-EUR02.prod.protection.outlook.com]"),
    ("no_mailbox", "5.1.10", 550, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient x not found by SMTP address lookup"),
    ('reputation', '5.7.1', 550, "550 5.7.1 Unfortunately, messages from [1.2.3.4] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140)."),
    ("no_mailbox", "5.5.0", 550, "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."),
    ("policy", "5.7.1", 550, "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required"),
    ("full", "5.2.2", 554, "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded"),
    ("reputation", "4.7.0", 421, "421 4.7.0 [TSS04] Messages from 1.2.3.4 temporarily deferred due to user complaints - 4.16.55.1"),
    ('no_mailbox', '', 554, "554 delivery error: dd This user doesn't have a yahoo.com account (x@yahoo.com) [-5]"),
    ("no_mailbox", "", 552, "552 1 Requested mail action aborted, mailbox not found (in reply to end of DATA command)"),
    ("disabled", "", 554, "554 30 Sorry, your message to x@yahoo.com cannot be delivered. This mailbox is disabled (554.30)."),
    ("no_mailbox", "5.1.1", 550, "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR204_416 [416]"),
    ("full", "5.1.1", 552, "552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR204_417 [417]"),
    ("reputation", "5.7.1", 550, "550 5.7.1 Service refuse. Veuillez essayer plus tard. Service refused, please try later. OFR_999 [999]"),
    ("content", "5.5.0", 550, "550 5.5.0 Mail rejete. Mail rejected. OFR_506 [506]"),
    ("reputation", "5.7.1", 550, "550 5.7.1 Service refuse. LPN007_510"),
    ("no_mailbox", "", 550, "550 Requested action not taken: mailbox unavailable"),
    ("policy", "", 554, "554 Transaction failed Reject due to policy restrictions"),
    ("reputation", "", 554, "554-web.de (mxweb112) Nemesis ESMTP Service not available 554-No SMTP service 554-Bad DNS PTR resource record."),
    ("reputation", "5.7.1", 554, "554 5.7.1 Service unavailable; Client host [1.2.3.4] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/1.2.3.4"),
    ("no_domain", "5.4.4", 0, "Host or domain name not found. Name service error for name=nodomain.invalid type=AAAA: Host not found"),
    ("unreachable", "4.4.3", 0, "Host or domain name not found. Name service error for name=x.org type=MX: Host not found, try again"),
    ("unreachable", "4.4.1", 0, "connect to mx.example.org[1.2.3.4]:25: Connection timed out"),
    ("not_here", "5.7.1", 554, "554 5.7.1 <x@y.org>: Relay access denied"),
    ("not_here", "", 550, "550 relaying denied for <x@y.org>"),
    ("policy", "5.7.1", 554, "554 5.7.1 <x@y.org>: Recipient address rejected: Access denied"),
    ("full", "", 552, "552 <x@y.org>: Mailbox disk quota exceeded"),
    ("full", "4.2.2", 452, "452 4.2.2 Over quota"),
    ("size", "5.3.4", 552, "552 5.3.4 Message size exceeds fixed limit"),
    ("size", "5.2.3", 550, "550 5.2.3 Message too large"),
    ("no_mailbox", "", 550, "550 <x@y>: Unrouteable address"),
    ("greylisted", "4.7.1", 450, "450 4.7.1 <x@y.org>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/"),
    ("later", "4.1.1", 450, "450 4.1.1 <x@y.org>: Recipient address rejected: unverified address: x"),
    ("no_mailbox", "5.1.1", 550, "host spamfilter.example.com[1.2.3.4] said: 550 5.1.1 <spam@y.org>: User unknown (in reply to RCPT TO command)"),
    ("content", "5.7.1", 554, "554 5.7.1 Message rejected as spam by Content Filtering."),
    ("content", "", 550, "550 spam detected"),
    ("virus", "", 554, "554 virus found in message: Eicar"),
    ("disabled", "5.2.1", 550, "550 5.2.1 This mailbox has been blocked due to inactivity"),
    ("reputation", "", 550, "550 5.7.1 Too many spams from your IP (1.2.3.4), please visit http://postmaster.free.fr/"),
    ("no_domain", "5.1.10", 556, "556 5.1.10 Recipient address has null MX"),
    ("no_mailbox", "", 550, "User jim (x@y) not listed in Domino Directory"),
    ("expired", "4.4.7", 0, "delivery temporarily suspended: message expired"),
    ("expired", "5.4.7", 0, "5.4.7 - Delivery expired (message too old)"),
    ("their_trouble", "5.4.6", 0, "mail for x.org loops back to myself"),
    ("full", "", 550, "550 subscriber@earthlink.net...User account is overquota"),
    ('full', '', 0, "Le destinataire n'a plus de place: la boîte aux lettres du destinataire est pleine"),
    ('no_mailbox', '', 0, "Utilisateur non recensé dans l'annuaire"),
    ("no_mailbox", "", 550, "550 Unknown local part x in <x@y>"),
    ("no_mailbox", "", 553, "553 sorry, that recipient is not in my validrcptto list (#5.7.1)"),
    ("no_mailbox", "", 511, "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)"),
    ('not_here', '', 553, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
    ("no_mailbox", "", 550, "550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550"),
    ("authentication", "", 550, "550 Rejected by header based Anti-Spoofing policy: x@y"),
    ("no_mailbox", "5.1.1", 550, "550 5.1.1 unknown or illegal alias: x@y"),
    ("no_mailbox", "", 550, "550 No such user!"),
    ("no_mailbox", "", 550, "550 Message was not accepted -- invalid mailbox. Local mailbox x@mail.ru is unavailable: user not found"),
    ("content", "5.7.1", 554, "554 5.7.1 Message rejected under suspicion of SPAM"),
    ("sender_address", "", 550, "550 Sender verify failed"),
    ("sender_address", "5.1.8", 553, "553 5.1.8 <x@y>... Domain of sender address x@y does not exist"),
    ("rate", "4.7.0", 421, "421 4.7.0 Too many connections from your IP"),
    ("later", "4.2.1", 450, "450-4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages"),
    ("no_domain", "5.1.2", 0, "The domain name does not exist"),
    ("their_trouble", "", 451, "451 4.3.0 Temporary lookup failure"),
    ("disabled", "", 550, "550 5.7.1 <x@y>: account has been suspended"),
    ("moved", "5.1.6", 551, "551 5.1.6 user has moved"),
    ("no_mailbox", "5.0.0", 550, "550 5.0.0 User Unknown"),
    ("unclear", "5.0.0", 0, ""),
    ("reputation", "5.7.0", 0, "554 IP=1.2.3.4 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.)"),
    ("full", "", 552, "552 RCPT TO:<x@y> Mailbox disk quota exceeded"),
    ("no_mailbox", "", 550, "550 5.1.1 sorry, that address is not in our directory"),
    ("unreachable", "", 0, "SMTP connection timed out after 5 minutes"),
    ("no_mailbox", "5.1.1", 550, "550 #5.1.0 Address rejected x@y"),
    ("no_mailbox", "", 550, "550 Mailbox not found"),
    ("no_mailbox", "", 550, "550 5.1.1 Mailbox does not exist!"),
    ('disabled', '', 550, "550 Recipient's mailbox is inactive"),
    ("size", "", 552, "552 #5.3.4 message size exceeds limit"),
]


@pytest.mark.parametrize(("reason", "status", "code", "text"), CASES, ids=[case[3][:60] for case in CASES])
def test_the_table(reason, status, code, text):
    assert classify(status, code, text).reason == reason, decide(status, code, text).row


def test_every_row_has_a_reason_with_words():
    assert {row.reason for row in TABLE} <= REASONS.keys() and all(reason.words for reason in REASONS.values())


def test_only_the_mailboxs_own_faults_count():
    assert {reason.key for reason in REASONS.values() if reason.kind.counts} == {"no_mailbox", "no_domain", "moved", "full", "disabled"}


@pytest.mark.parametrize("text", ["450 4.1.1 user unknown", "421 4.7.0 your IP has a poor reputation", "451 4.7.1 Greylisted", "450 4.1.2 Domain not found"])
def test_a_temporary_refusal_stays_temporary_whatever_its_words(text):
    assert classify("", 0, text).kind is Kind.TEMPORARY


def test_a_full_mailbox_is_the_mailboxs_however_the_number_begins():
    assert classify("4.2.2", 452, "").kind is classify("5.2.2", 552, "").kind is Kind.MAILBOX_STATE


def test_names_of_machines_and_people_decide_nothing():
    assert classify("5.1.1", 550, "host spam-quota-dmarc.example.org[192.0.2.1] said: 550 5.1.1 <virus@full.example>: no such user").reason == "no_mailbox"


def test_nothing_known_counts_for_nothing():
    assert classify("", 0, "") == verdict_of("unclear") and classify("5.0.0", 550, "").kind is Kind.UNKNOWN and verdict_of("unclear").severity is Severity.SOFT


@given(st.text(max_size=30), st.integers(0, 999), st.text(max_size=3000))
def test_any_text_has_a_verdict(status, code, text):
    assert classify(status, code, text).reason in REASONS
