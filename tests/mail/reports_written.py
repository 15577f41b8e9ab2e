"""Reports as programs and providers write them, in our own words: whom they name and what they mean."""

from __future__ import annotations

from typing import NamedTuple


class Written(NamedTuple):
    name: str
    raw: str
    whom: set[str]
    kind: str


def mail(body: str, sender: str = "MAILER-DAEMON@mx.example.net", subject: str = "failure notice", *fields: str) -> str:
    head = [f"From: {sender}", "To: amis-bounces@lists.example.org", f"Subject: {subject}", "Date: Fri, 20 Nov 2026 10:00:00 +0000", *fields]
    return "\n".join(head) + "\n\n" + body


ORIGINAL = "\nReturn-Path: <amis-bounces@lists.example.org>\nFrom: Paul <paul@home.example>\nTo: amis@lists.example.org\nMessage-ID: <1@home.example>\nSubject: Hello\n\nwrite to nobody@elsewhere.example\n"


def dsn(action: str, status: str, diagnostic: str, whom: str = "anna@mail.example", original: str = "", notice: str = "See below.") -> str:
    first = f"Original-Recipient: rfc822;{original}\n" if original else ""
    return mail(
        f"--b\nContent-Type: text/plain\n\n{notice}\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n{first}Final-Recipient: rfc822; {whom}\n"
        f"Action: {action}\nStatus: {status}\nDiagnostic-Code: smtp; {diagnostic}\n\n--b\nContent-Type: message/rfc822\n{ORIGINAL}\n--b--\n",
        "MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender", 'Content-Type: multipart/report; report-type=delivery-status; boundary="b"', "MIME-Version: 1.0",
    )  # fmt: skip


def office(subject: str, lead: str, why: str, technical: str) -> str:
    html = f"<html><head><style>p {{x:y@z.example}}</style></head><body><p><b>{lead}</b></p><p><a href='mailto:anna@mail.example'>anna@mail.example</a><br>{why}</p><p>{technical}</p></body></html>"
    return mail(html, "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.example>", subject, "Content-Type: text/html; charset=utf-8", "MIME-Version: 1.0")


ANNA = {"anna@mail.example"}
WRITTEN = [
    Written("rfc3464 failed", dsn("failed", "5.1.1", "550 5.1.1 <anna@mail.example>: User unknown"), ANNA, "dead"),
    Written("rfc3464 delayed", dsn("delayed", "4.4.1", "connect to mail.example[192.0.2.1]:25: Connection timed out"), ANNA, "temporary"),
    Written("rfc3464 delayed by a full mailbox", dsn("delayed", "4.2.2", "452 4.2.2 mailbox full"), ANNA, "temporary"),
    Written("rfc3464 delivered", dsn("delivered", "2.0.0", "250 2.0.0 Ok"), ANNA, "success"),
    Written("rfc3464 relayed", dsn("relayed", "2.0.0", "250 ok"), ANNA, "success"),
    Written("rfc3464 expanded", dsn("expanded", "2.0.0", "250 ok"), ANNA, "success"),
    Written("rfc3464 original recipient", dsn("failed", "5.2.2", "552 5.2.2 over quota", "anna@inner.example", "anna@mail.example"), ANNA, "mailbox_state"),
    Written("rfc3464 status says nothing", dsn("failed", "5.0.0", "550-5.7.1 likely unsolicited mail"), ANNA, "ours"),
    Written("rfc3464 expired", dsn("failed", "4.4.7", "delivery temporarily suspended: connect to mail.example[192.0.2.1]:25: Connection refused"), ANNA, "temporary"),
    Written("rfc3464 spamhaus", dsn("failed", "5.7.1", "554 5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.spamhaus.org"), ANNA, "ours"),
    Written("rfc3464 dmarc", dsn("failed", "5.7.26", "550-5.7.26 Unauthenticated email from home.example is not accepted due to domain's DMARC policy."), ANNA, "ours"),
    Written("rfc3464 only the text says why", dsn("failed", "5.0.0", "", notice="<anna@mail.example>: mailbox is full"), ANNA, "mailbox_state"),
    Written("no type on the report", dsn("failed", "5.1.1", "550 no such user").replace("multipart/report; report-type=delivery-status", "multipart/mixed"), ANNA, "dead"),
    Written("structure lost", dsn("failed", "5.1.1", "550 no such user").replace('boundary="b"', 'boundary="other"'), ANNA, "dead"),
    Written("orange", dsn("failed", "5.1.1", "552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR204_417 [417]"), ANNA, "mailbox_state"),
    Written("orange refuses us", dsn("failed", "5.7.1", "550 5.7.1 Service refuse. Veuillez essayer plus tard. service refused, please try later. OFR_999 [999]"), ANNA, "ours"),
    Written("la poste refuses us", dsn("failed", "5.5.0", "550 5.5.0 Service refuse. LPN007_510"), ANNA, "ours"),
    Written("free", dsn("failed", "5.2.1", "550 5.2.1 This mailbox has been blocked due to inactivity"), ANNA, "mailbox_state"),
    Written("microsoft", dsn("failed", "5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)"), ANNA, "dead"),
    Written("qmail", mail("Hi. This is the qmail-send program at mx.example.net.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<anna@mail.example>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 unknown user\nGiving up on 192.0.2.1.\n\n--- Below this line is a copy of the message.\n" + ORIGINAL), ANNA, "dead"),
    Written("qmail, two", mail("Hi. This is the qmail-send program at mx.example.net.\n\n<anna@mail.example>:\nuser is over quota\n\n<bert@mail.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n" + ORIGINAL), {"anna@mail.example", "bert@mail.example"}, "dead"),
    Written("exim", mail("This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  anna@mail.example\n    host mx.mail.example [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<anna@mail.example>:\n    550 5.1.1 No such person at this address\n\n------ This is a copy of the message, including all the headers. ------\n" + ORIGINAL, "Mail Delivery System <Mailer-Daemon@mx.example.net>", "Mail delivery failed: returning message to sender", "X-Failed-Recipients: anna@mail.example"), ANNA, "dead"),
    Written("exim, retry timeout", mail("A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  anna@mail.example\n    retry timeout exceeded\n\n------ This is a copy of the message, including all the headers. ------\n" + ORIGINAL, "Mail Delivery System <Mailer-Daemon@mx.example.net>", "Mail delivery failed: returning message to sender"), ANNA, "temporary"),
    Written("exim, warning", mail("This message was created automatically by mail delivery software.\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue on mx.example.net.\n\nThe address to which the message has not yet been delivered is:\n\n  anna@mail.example\n\nNo action is required on your part. Delivery attempts will continue for some time.\n", "Mail Delivery System <Mailer-Daemon@mx.example.net>", "Warning: message 1abc-0001-AB delayed 24 hours"), ANNA, "temporary"),
    Written("postfix, text", mail("This is the mail system at host mx.example.net.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients. It's attached below.\n\nFor further assistance, please send mail to postmaster.\n\n                   The mail system\n\n<anna@mail.example>: host mx.mail.example[192.0.2.1] said: 552 5.2.2\n    Mailbox size limit exceeded (in reply to RCPT TO command)\n", "MAILER-DAEMON@mx.example.net (Mail Delivery System)", "Undelivered Mail Returned to Sender"), ANNA, "mailbox_state"),
    Written("sendmail, text", mail("The original message was received at Fri, 20 Nov 2026 10:00:00 GMT\nfrom localhost [127.0.0.1]\n\n   ----- The following addresses had permanent fatal errors -----\n<anna@mail.example>\n    (reason: 550 5.1.1 <anna@mail.example>... User unknown)\n\n   ----- Transcript of session follows -----\n... while talking to mx.mail.example.:\n>>> DATA\n<<< 550 5.1.1 <anna@mail.example>... User unknown\n550 5.1.1 <anna@mail.example>... User unknown\n", "Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>", "Returned mail: see transcript for details"), ANNA, "dead"),
    Written("sendmail, host unknown", mail("   ----- The following addresses had permanent fatal errors -----\n<anna@mail.example>\n    (reason: 550 Host unknown)\n\n   ----- Transcript of session follows -----\n550 5.1.2 <anna@mail.example>... Host unknown (Name server: mail.example: host not found)\n", "Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>", "Returned mail: Host unknown"), ANNA, "dead"),
    Written("gmail", mail("** Address not found **\n\nYour message wasn't delivered to anna@mail.example because the address couldn't be found, or is unable to receive mail.\n\nLearn more here: https://support.google.com/mail/?p=NoSuchUser\n\nThe response was:\n\n550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address\n", "Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)", "X-Failed-Recipients: anna@mail.example"), ANNA, "dead"),
    Written("gmail, full", mail("** Recipient inbox full **\n\nYour message couldn't be delivered to anna@mail.example. Their inbox is full, or it's getting too much mail right now.\n\nThe response was:\n\n452 4.2.2 The email account that you tried to reach is over quota.\n", "Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Failure)"), ANNA, "mailbox_state"),
    Written("gmail, delay", mail("** Delivery incomplete **\n\nThere was a temporary problem delivering your message to anna@mail.example. Gmail will retry for 46 more hours. You'll be notified if the delivery fails permanently.\n\nThe response was:\n\nThe recipient server did not accept our requests to connect.\n", "Mail Delivery Subsystem <mailer-daemon@googlemail.com>", "Delivery Status Notification (Delay)"), ANNA, "temporary"),
    Written("yahoo", mail("Sorry, we were unable to deliver your message to the following address.\n\n<anna@mail.example>:\n554: 554 delivery error: dd This user doesn't have a yahoo.com account (anna@mail.example) [0] - mta1.mail.yahoo.com\n\n--- Below this line is a copy of the message.\n" + ORIGINAL, "MAILER-DAEMON@yahoo.com", "Failure Notice"), ANNA, "dead"),
    Written("outlook, english", office("Undeliverable: Hello", "Delivery has failed to these recipients or groups:", "The email address you entered couldn't be found. Please check the recipient's email address and try to resend the message.", "Diagnostic information for administrators:<br>Generating server: contoso.example<br>anna@mail.example<br>Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup'"), ANNA, "dead"),
    Written("outlook, french", office("Non remis : Bonjour", "Échec de la remise pour ces destinataires ou groupes :", "La boîte aux lettres du destinataire est pleine et ne peut pas accepter de messages pour l'instant.", "Informations de diagnostic pour les administrateurs :<br>anna@mail.example<br>#&lt; #5.2.2 smtp;554 5.2.2 mailbox full; STOREDRV.Deliver; QuotaExceeded&gt;"), ANNA, "mailbox_state"),
    Written("outlook, german", office("Unzustellbar: Hallo", "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:", "Die eingegebene E-Mail-Adresse wurde nicht gefunden.", "Diagnoseinformationen für Administratoren:"), ANNA, "dead"),
    Written("outlook, spanish", office("No se puede entregar: Hola", "No se pudo entregar el mensaje a los siguientes destinatarios o grupos:", "No se encontró la dirección de correo electrónico que ha especificado.", "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"), ANNA, "dead"),
    Written("outlook, italian", office("Non recapitabile: Ciao", "Impossibile recapitare il messaggio ai seguenti destinatari o gruppi:", "L'indirizzo di posta elettronica immesso non è stato trovato.", "Informazioni di diagnostica"), ANNA, "dead"),
    Written("outlook, dutch", office("Onbestelbaar: Hallo", "De bezorging is mislukt voor de volgende geadresseerden of groepen:", "Het e-mailadres dat u hebt ingevoerd, kan niet worden gevonden.", "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"), ANNA, "dead"),
    Written("outlook, portuguese", office("Não é possível entregar: Olá", "Falha na entrega a estes destinatários ou grupos:", "O endereço de email que introduziu não foi encontrado.", "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"), ANNA, "dead"),
    Written("outlook, group closed to strangers", office("Undeliverable: Hello", "Delivery has failed to these recipients or groups:", "The group only accepts messages from people in its organization or on its allowed senders list", "Remote Server returned '550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required'"), ANNA, "ours"),
    Written("exchange 2003", mail("Your message\n\n  To:      amis@lists.example.org\n  Subject: Hello\n  Sent:    Fri, 20 Nov 2026 10:00:00 +0100\n\ndid not reach the following recipient(s):\n\nanna@mail.example on Fri, 20 Nov 2026 10:00:05 +0100\n    The e-mail account does not exist at the organization this message was sent to.\n        <mx.example.net #5.1.1>\n", "System Administrator <postmaster@mx.example.net>", "Undeliverable: Hello"), ANNA, "dead"),
    Written("exchange, french", mail("Votre message\n\n  À :      amis@lists.example.org\n  Objet :  Bonjour\n  Date :   ven. 20/11/2026\n\nn'a pas été remis aux destinataires suivants :\n\n    anna@mail.example le ven. 20/11/2026 10:00\n          Le compte de messagerie n'existe pas dans l'organisation à laquelle ce message a été envoyé.\n", "Administrateur système <postmaster@mx.example.net>", "Non remis : Bonjour", "Content-Type: text/plain; charset=utf-8"), ANNA, "dead"),
    Written("gmx", mail("This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of\nits recipients. This is a permanent error. The following address failed:\n\n\"anna@mail.example\":\nSMTP error from remote server for RCPT TO command, host: mx00.mail.example (192.0.2.1) reason: 550 Requested action not taken: mailbox unavailable\n\n--- The header of the original message is following. ---\n" + ORIGINAL, "GMX Mailer Daemon <mailer-daemon@gmx.net>", "Mail delivery failed: returning message to sender"), ANNA, "dead"),
    Written("notes", mail("Your message\n\n  Subject: Hello\n\nwas not delivered to:\n\n  anna@mail.example\n\nbecause:\n\n  Router: Database disk quota exceeded\n", "Postmaster@mx.example.net", "DELIVERY FAILURE: Router: Database disk quota exceeded"), ANNA, "mailbox_state"),
    Written("la poste, text", mail("Bonjour,\n\nVotre message n'a pas pu être remis au destinataire suivant :\n\n   anna@mail.example\n\nMotif : utilisateur inconnu\n", "postmaster@laposte.example", "Message non distribué", "Content-Type: text/plain; charset=utf-8"), ANNA, "dead"),
    Written("german, text", mail("Ihre Nachricht konnte nicht zugestellt werden an:\n\nanna@mail.example\n\nGrund: Das Postfach ist voll.\n", "Mail-Administrator <postmaster@mx.example.net>", "Unzustellbar: Hallo", "Content-Type: text/plain; charset=utf-8"), ANNA, "mailbox_state"),
    Written("an unknown program", mail("We could not hand over your letter.\n\nThe mailbox anna@mail.example was closed.\n", "Mail System <daemon@mx.example.net>", "Mail could not be delivered", "Auto-Submitted: auto-replied"), ANNA, "mailbox_state"),
    Written("html only", mail("<html><body><table><tr><td>Delivery to the following recipient failed:</td></tr><tr><td>&lt;anna@mail.example&gt;</td></tr><tr><td>550 user unknown</td></tr></table></body></html>", "Mail Delivery System <mailer-daemon@mx.example.net>", "Delivery failed", "Content-Type: text/html"), ANNA, "dead"),
    Written("spam refusal", mail("The following message to <anna@mail.example> was undeliverable.\nThe reason for the problem:\n5.1.0 - Unknown address error 550-'5.7.1 Message rejected as spam'\n", "Mail Delivery System <MAILER-DAEMON@mx.example.net>", "Delivery Status Notification (Failure)"), ANNA, "ours"),
    Written("virus", mail("Your message to anna@mail.example was rejected.\n\nReason: the attachment contains a virus (Eicar).\n", "postmaster@mx.example.net", "Mail rejected"), ANNA, "ours"),
    Written("too large", mail("<anna@mail.example>: message size 31457280 exceeds size limit 10485760 of server mx.mail.example[192.0.2.1]\n", "MAILER-DAEMON@mx.example.net", "Undelivered Mail Returned to Sender"), ANNA, "ours"),
    Written("complaint", mail("--b\nContent-Type: text/plain\n\nThis is an abuse report.\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: Provider/1\nVersion: 1\nOriginal-Rcpt-To: <anna@mail.example>\n\n--b\nContent-Type: message/rfc822\n" + ORIGINAL + "\n--b--\n", "feedback@provider.example", "FW: Hello", 'Content-Type: multipart/report; report-type=feedback-report; boundary="b"'), ANNA, "complaint"),
    Written("complaint without a name", mail("--b\nContent-Type: text/plain\n\nThis is an abuse report.\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: Provider/1\nVersion: 1\n\n--b\nContent-Type: message/rfc822\n" + ORIGINAL + "\n--b--\n", "feedback@provider.example", "FW: Hello", 'Content-Type: multipart/report; report-type=feedback-report; boundary="b"'), set(), "complaint"),
    Written("receipt", mail("--b\nContent-Type: text/plain\n\nYour message was read.\n--b\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; anna@mail.example\nDisposition: manual-action/MDN-sent-manually; displayed\n--b--\n", "anna@mail.example", "Read: Hello", 'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"'), ANNA, "automatic"),
    *(
        Written(f"absence: {subject}", mail(body, "Anna <anna@mail.example>", subject, *fields, "Content-Type: text/plain; charset=utf-8"), ANNA, "automatic")
        for subject, body, fields in [
            ("Hello", "I am away.", ["Auto-Submitted: auto-replied"]), ("Out of office: Hello", "I am out of the office until Monday, contact bert@mail.example", []),
            ("Réponse automatique : Bonjour", "Je suis absente, écrivez à bert@mail.example", []), ("Abwesenheitsnotiz: Hallo", "Ich bin nicht im Büro", []),
            ("Respuesta automática: Hola", "Estoy de vacaciones", []), ("Risposta automatica: Ciao", "Sono in ferie", []), ("Automatisch antwoord: Hallo", "Ik ben afwezig", []),
            ("Resposta automática: Olá", "Estou de férias", []), ("Re: Hello", "Thank you for your message.", ["X-Autoreply: yes"]), ("Hello", "on leave", ["Precedence: auto_reply"]),
        ]
    ),
    Written("a person", mail("Dear all, please write to bert@mail.example.\n", "Anna <anna@mail.example>", "Hello"), set(), "unknown"),
    Written("a person about errors", mail("I got an error: 550 user unknown when I wrote to bert@mail.example.\n", "Anna <anna@mail.example>", "Re: problem", "In-Reply-To: <1@home.example>"), set(), "unknown"),
]  # fmt: skip
