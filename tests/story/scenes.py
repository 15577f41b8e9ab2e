"""Scenes the stories begin with: rows made directly and set-based, and the parts started as real processes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from colporteur.store.lists import List, Role, RoleKind
from colporteur.store.organisations import Domain, Organisation
from colporteur.store.people import Address, Person
from colporteur.store.routes import RouteStep
from colporteur.store.sealed import seal
from colporteur.store.transports import Transport
from tests.servers.ports import free_port, listens, wait_until

REPOSITORY = Path(__file__).parents[2]
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
UP = {"worker": b"log=work event=working", "collect": b"log=collect event=collecting"}
"""What parts without a port say when they have begun, unless they were told what to say."""


def a_list(
    address: str = "amis@lists.example", *, members: Sequence[str] | int = (), template: str = "discussion", title: str = "", language: str = "",
    organisation: str = "Essai", transport: Transport | None = None, on_domain: bool = True, **policy: Any,
) -> List:  # fmt: skip
    """A list with its organisation and domain (made when missing). ``members``: addresses, or how many to make up
    (``member-000001@members.example`` ...). ``on_domain`` False: an address of a shared host. ``policy``: own settings."""
    owner, _ = Organisation.objects.get_or_create(name=organisation)
    host = address.rpartition("@")[2]
    domain = Domain.objects.get_or_create(name=host, defaults={"organisation": owner})[0] if on_domain else None
    list_ = List.objects.create(
        organisation=owner, domain=domain, address=address, title=title or address.partition("@")[0], template=template, policy=policy,
        language=language, list_id=address.replace("@", "."),
    )  # fmt: skip
    if transport:
        RouteStep.objects.create(list=list_, transport=transport)
    if isinstance(members, int):
        members = [f"member-{number:06}@members.example" for number in range(1, members + 1)]
    join(list_, members)
    return list_


def join(list_: List, emails: Sequence[str], since: datetime = LONG_AGO) -> None:
    """Put addresses on a list, set-based."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO address (email, name, created) SELECT email, '', %s FROM unnest(%s::text[]) email ON CONFLICT DO NOTHING", [since, list(emails)])
        cursor.execute(
            "INSERT INTO membership (list_id, address_id, delivery, paused, since, left_by) SELECT %s, id, 'each', false, %s, '' FROM address WHERE email = ANY(%s)",
            [list_.id, since, list(emails)],
        )


def a_person(email: str, *, name: str = "", admin: bool = False, language: str = "", password: str = "") -> Person:
    """Somebody with one verified address."""
    person = Person(name=name, is_admin=admin, language=language)
    if password:
        person.set_password(password)
    else:
        person.set_unusable_password()
    person.save()
    Address.objects.update_or_create(email=email, defaults={"person": person, "verified_at": LONG_AGO, "name": name})
    return person


def give_role(list_: List, kind: RoleKind, email: str) -> Role:
    """Make the person with this address, made when missing, owner, moderator or free sender of the list."""
    known = Address.objects.filter(email=email, person__isnull=False).select_related("person").first()
    person = known.person if known else a_person(email)
    return Role.objects.create(list=list_, kind=kind, person=person)


def a_transport(url: str, name: str = "way out", *, default: bool = True, **traits: Any) -> Transport:
    """A way out, ``smtp://127.0.0.1:25`` or ``folder:///path``."""
    return Transport.objects.create(name=name, kind=url.partition(":")[0], url_sealed=seal(url), is_default=default, traits=traits)


def message(
    sender: str = "anna@members.example", to: str = "amis@lists.example", subject: str = "Hello", body: str = "A few words.\r\n", *, message_id: str = "", headers: Sequence[str] = ()
) -> bytes:
    """A plain message in CRLF lines."""
    own = hashlib.sha256(repr((sender, to, subject, body)).encode()).hexdigest()[:16]
    lines = [f"From: {sender}", f"To: {to}", f"Subject: {subject}", f"Message-ID: {message_id or f'<{own}@members.example>'}"]
    lines += ["Date: Sat, 21 Nov 2026 10:00:00 +0000", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class Installation:
    """The product's parts as real processes: ``start("receive", "worker")``, ``stop()``, ``kill("worker")``, ``cli(...)``.

    They share the database of the running test, which therefore needs ``django_db(transaction=True)`` (the fixture
    ``installation`` of ``tests/story/conftest.py`` asks for it): arrange and look with the ORM. With ``database``
    another PostgreSQL is used (a URL). ``options`` are further environment variables.
    """

    def __init__(self, directory: Path, *, database: str = "", options: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.web_port, self.lmtp_port = free_port(), free_port()
        self.base_url = f"http://127.0.0.1:{self.web_port}"
        self.database = database or shared_database()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("COLPORTEUR_", "DJANGO_", "DATABASE_"))} | {
            "COLPORTEUR_DATA": str(directory / "data"), "DATABASE_URL": self.database, "COLPORTEUR_SECRET_KEY": settings.SECRET_KEY, "PYTHONUNBUFFERED": "1",
            "COLPORTEUR_WEB": f"127.0.0.1:{self.web_port}", "COLPORTEUR_LMTP": f"127.0.0.1:{self.lmtp_port}", "COLPORTEUR_BASE_URL": self.base_url, "COLPORTEUR_SWEEP": "1",
            **(options or {}),
        }  # fmt: skip
        self.parts: dict[str, subprocess.Popen[bytes]] = {}
        self._said: dict[str, int] = {}  # bytes in the log of a part before it was started

    def __enter__(self) -> Installation:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *parts: str) -> None:
        """Start parts (``web``, ``receive``, ``collect``, ``worker``, ``worker --share 1/2``) and wait until those with a port answer."""
        ports = {"web": self.web_port, "receive": self.lmtp_port}
        for words in parts:
            part = words.split()[0]
            with open(self._log(part), "ab") as log:
                self._said[part] = log.tell()
                self.parts[part] = subprocess.Popen(
                    [sys.executable, "-m", "colporteur", *words.split()], env=self.environment, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        for part in parts:
            if port := ports.get(part):
                wait_until(lambda part=part, port=port: self._lives(part) and listens(port), 90, f"{part} does not answer:\n{self.words(part)[-3000:]}")

    def stop(self, *parts: str, seconds: float = 90) -> dict[str, int]:
        """SIGTERM to the parts (all of them without names), once they have begun; the exit status of each. Whoever does not end is killed: -9."""
        names = parts or tuple(self.parts)
        for name in names:
            with contextlib.suppress(TimeoutError):
                wait_until(lambda name=name: self._is_up(name) or self.parts[name].poll() is not None, 20)
            if self.parts[name].poll() is None:
                self.parts[name].send_signal(signal.SIGTERM)
        statuses = {}
        for name in names:
            process = self.parts.pop(name)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            _end(process)
            statuses[name] = process.wait()
        return statuses

    def kill(self, *parts: str) -> None:
        """SIGKILL to the parts and all their children."""
        for name in parts:
            process = self.parts.pop(name)
            _end(process)
            process.wait()

    def cli(self, *words: str, stdin: bytes = b"", status: int | None = 0) -> str:
        """Run ``colporteur words...``; its standard output. Fails unless it ends with ``status`` (None: any)."""
        done = self.run(*words, stdin=stdin)
        if status is not None and done.returncode != status:
            raise AssertionError(f"colporteur {' '.join(words)} ended with {done.returncode}, not {status}:\n{done.stdout.decode()}{done.stderr.decode()}")
        return done.stdout.decode()

    def run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """The same, with everything that came back."""
        return subprocess.run([sys.executable, "-m", "colporteur", *words], env=self.environment, cwd=REPOSITORY, input=stdin, capture_output=True, timeout=300)

    def words(self, part: str) -> str:
        """What the part wrote to its log."""
        return self._log(part).read_text(errors="replace") if self._log(part).exists() else ""

    def _log(self, part: str) -> Path:
        return self.directory / f"{part}.log"

    def _is_up(self, part: str) -> bool:
        return part not in UP or "COLPORTEUR_LOG" in self.environment or UP[part] in self._log(part).read_bytes()[self._said[part] :]

    def _lives(self, part: str) -> bool:
        if (status := self.parts[part].poll()) is not None:
            raise RuntimeError(f"{part} ended with {status}:\n{self.words(part)[-3000:]}")
        return True


def shared_database() -> str:
    """URL of the database this test process works on."""
    place = connection.settings_dict
    return f"postgresql://{place['USER']}@/{place['NAME']}?host={place['HOST']}&port={place['PORT']}"


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
