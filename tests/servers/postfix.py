"""A private Postfix: own configuration, queue and ports, from the unpacked package."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import signal
import smtplib
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers import debian
from tests.servers.debian import MissingServer
from tests.servers.ports import free_port, greets, wait_until

OWNER, DROP_GROUP = "colporteur-mta", "colporteur-drop"
Place = tuple[str, int]


class Postfix:
    """One Postfix on a free port of 127.0.0.1 (``port``).

    ``lists``: domain -> LMTP listener its mail is handed to. ``mailboxes``: addresses delivered to Maildirs under
    ``mail`` (``messages(address)`` reads them). ``mailbox_lmtp``: domain -> LMTP listener of a Dovecot. ``relay``: where
    everything else goes; without it other domains bounce. ``delimiter``: recipient delimiter, "" for a host without.
    ``senders``: the only envelope senders this host takes (sender-login checks of a shared host); None: any.
    ``sasl``: a Dovecot authentication listener; then only who signs in may send elsewhere, and only as ``logins`` says
    (address -> user name). ``options``: further lines of main.cf.
    """

    def __init__(
        self, directory: Path, *, lists: Mapping[str, Place] | None = None, mailboxes: Iterable[str] = (), mailbox_lmtp: Mapping[str, Place] | None = None,
        relay: Place | None = None, delimiter: str = "+", senders: Iterable[str] | None = None, sasl: Place | None = None,
        logins: Mapping[str, str] | None = None, options: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        if os.geteuid() != 0:
            raise MissingServer("Postfix starts as root only: run `make test` as root or with sudo")
        self.directory, self.port = directory, free_port()
        self.config, self.queue, self.data, self.mail, self.log = (directory / name for name in ("config", "queue", "data", "mail", "log"))
        self.lists, self.mailboxes, self.mailbox_lmtp = dict(lists or {}), list(mailboxes), dict(mailbox_lmtp or {})
        self.relay, self.delimiter, self.sasl, self.logins = relay, delimiter, sasl, dict(logins or {})
        self.senders, self.options = None if senders is None else list(senders), dict(options or {})
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Postfix:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Write the configuration, start the master, wait until the port answers."""
        account = _account()
        self._directories(account)
        self._tables()
        (self.config / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in (self._settings() | self.options).items()))
        (self.config / "master.cf").write_text(self._services())
        master = debian.program("usr/lib/postfix/sbin/master")
        self.process = subprocess.Popen([master, "-c", self.config, "-d"], env=self._environment(), cwd="/", start_new_session=True)
        wait_until(lambda: self._alive() and greets(self.port), 90, f"Postfix does not answer; its log: {self.log}")

    def stop(self) -> None:
        """Stop it with everything it started; the queue stays and is there again at ``start``."""
        if self.process and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def send(self, sender: str, recipients: Sequence[str], raw: bytes) -> None:
        """Hand over one message by SMTP. Raises ``smtplib.SMTPException`` when Postfix refuses it."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=120) as client:
            client.sendmail(sender, list(recipients), raw, mail_options=["BODY=8BITMIME"])

    def waiting(self) -> list[str]:
        """Identifiers of the messages in the queue. Listed twice: one that moves from one folder to the next meanwhile is missed."""
        listed = "".join(self._command("usr/sbin/postqueue", "-j").stdout for _time in range(2))
        return sorted(set(re.findall(r'"queue_id": "([^"]+)"', listed)))

    def flush(self) -> None:
        """Try everything deferred now."""
        self._command("usr/sbin/postqueue", "-f")

    def messages(self, address: str) -> list[bytes]:
        """Messages delivered to the Maildir of ``address``, oldest first."""
        folder = self.mail / _maildir(address) / "new"
        return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.exists() else []

    def words(self) -> str:
        """What Postfix logged so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # --- how ---

    def _alive(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise RuntimeError(f"Postfix ended with {self.process.returncode}:\n{self.words()[-3000:]}")
        return True

    def _environment(self) -> dict[str, str]:
        return debian.environment() | {"MAIL_CONFIG": str(self.config)}

    def _command(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([debian.program(program), *words], env=self._environment(), capture_output=True, text=True, check=True, cwd="/")

    def _directories(self, account: pwd.struct_passwd) -> None:
        drop = grp.getgrnam(DROP_GROUP).gr_gid
        for folder in (self.directory, *self.directory.parents):
            if folder.exists() and str(folder).startswith("/tmp/") and folder.stat().st_uid == 0:
                folder.chmod(folder.stat().st_mode | 0o011)  # pytest makes its folders 0700
        for folder in (self.directory, self.config, self.queue):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
        private = "active bounce corrupt defer deferred flush hold incoming private saved trace".split()
        for name, mode, group in [*((name, 0o700, 0) for name in private), ("public", 0o710, drop), ("maildrop", 0o730, drop)]:
            (self.queue / name).mkdir(exist_ok=True)
            os.chown(self.queue / name, account.pw_uid, group)
            (self.queue / name).chmod(mode)
        (self.queue / "pid").mkdir(exist_ok=True)
        for folder in (self.data, self.mail):
            folder.mkdir(exist_ok=True)
            os.chown(folder, account.pw_uid, account.pw_gid)
            folder.chmod(0o700)

    def _tables(self) -> None:
        def table(name: str, rows: Mapping[str, str]) -> None:
            (self.config / name).write_text("".join(f"{key} {value}\n" for key, value in rows.items()))

        table("transport", {domain: f"lmtp:inet:{host}:{port}" for domain, (host, port) in (self.lists | self.mailbox_lmtp).items()})
        table("mailboxes", {address: _maildir(address) + "/" for address in self.mailboxes})
        table("senders", dict.fromkeys(self.senders or (), "OK"))
        table("logins", self.logins)

    def _settings(self) -> dict[str, str]:
        mailbox_domains = sorted({address.rpartition("@")[2] for address in self.mailboxes})
        here = f"texthash:{self.config}"
        settings = {
            "compatibility_level": "3.6", "myhostname": "mail.postfix.test", "mydestination": "", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8", "mail_owner": OWNER, "setgid_group": DROP_GROUP, "queue_directory": self.queue, "data_directory": self.data,
            "daemon_directory": debian.program("usr/lib/postfix/sbin"), "command_directory": debian.program("usr/sbin"), "shlib_directory": debian.program("usr/lib/postfix"),
            "meta_directory": self.config, "maillog_file": self.log, "maillog_file_prefixes": self.log.parent, "alias_maps": "", "local_recipient_maps": "",
            "import_environment": "MAIL_CONFIG LD_LIBRARY_PATH LC_ALL", "export_environment": "MAIL_CONFIG LD_LIBRARY_PATH LC_ALL PATH", "biff": "no", "append_dot_mydomain": "no",
            "recipient_delimiter": self.delimiter, "owner_request_special": "no", "relay_domains": " ".join(self.lists | self.mailbox_lmtp), "transport_maps": f"{here}/transport",
            "virtual_mailbox_domains": " ".join(mailbox_domains), "virtual_mailbox_maps": f"{here}/mailboxes", "virtual_mailbox_base": self.mail,
            "virtual_uid_maps": f"static:{_account().pw_uid}", "virtual_gid_maps": f"static:{_account().pw_gid}", "virtual_minimum_uid": "1",
            "message_size_limit": str(100 * 1024 * 1024), "mailbox_size_limit": "0", "virtual_mailbox_limit": "0", "smtp_host_lookup": "native", "lmtp_host_lookup": "native",
            "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0", "smtpd_client_connection_count_limit": "0", "smtpd_soft_error_limit": "1000",
            "smtpd_hard_error_limit": "10000", "service_throttle_time": "1s", "minimal_backoff_time": "2s", "maximal_backoff_time": "2s", "queue_run_delay": "2s", "lmtp_connect_timeout": "5s",
            "smtpd_relay_restrictions": "permit_mynetworks, reject", "smtpd_recipient_restrictions": "", "default_destination_recipient_limit": "50",
            "default_transport": f"smtp:[{self.relay[0]}]:{self.relay[1]}" if self.relay else "error:5.4.4 no such host in this test", "smtp_tls_security_level": "none",
        }  # fmt: skip
        if self.senders is not None:
            settings["smtpd_sender_restrictions"] = f"check_sender_access {here}/senders, reject"
        if self.sasl:
            settings |= {
                "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": f"inet:{self.sasl[0]}:{self.sasl[1]}", "smtpd_sasl_security_options": "noanonymous",
                "smtpd_sender_login_maps": f"{here}/logins", "smtpd_sender_restrictions": "reject_sender_login_mismatch",
                "smtpd_relay_restrictions": "permit_sasl_authenticated, permit_auth_destination, reject", "mynetworks": "192.0.2.0/32",
            }  # fmt: skip
        return {name: str(value) for name, value in settings.items()}

    def _services(self) -> str:
        # service type private unpriv chroot wakeup maxproc command; nothing runs in a chroot, libraries would be missing there
        rows = [f"127.0.0.1:{self.port} inet n - n - - smtpd", "pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr"]
        rows += [f"{name} unix - - n - {most} {command}" for name, most, command in (
            ("rewrite", "-", "trivial-rewrite"), ("bounce", "0", "bounce"), ("defer", "0", "bounce"), ("trace", "0", "bounce"), ("verify", "1", "verify"), ("smtp", "-", "smtp"),
            ("relay", "-", "smtp"), ("error", "-", "error"), ("retry", "-", "error"), ("discard", "-", "discard"), ("lmtp", "-", "lmtp"), ("anvil", "1", "anvil"), ("scache", "1", "scache"),
        )]  # fmt: skip
        rows += ["proxymap unix - - n - - proxymap", "flush unix n - n 1000? 0 flush", "showq unix n - n - - showq", "virtual unix - n n - - virtual", "tlsmgr unix - - n 1000? 1 tlsmgr"]
        rows += ["postlog unix-dgram n - n - 1 postlogd"]
        return "\n".join(rows) + "\n"


@dataclass
class Sink:
    """Postfix's ``smtp-sink`` on a free port: takes everything and forgets it, or keeps it in ``dump`` (one file a message)."""

    directory: Path
    lmtp: bool = False
    keep: bool = False
    port: int = 0

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator[Sink]:
        """Run it for the time of the block; ``words`` are further options of smtp-sink."""
        self.port = self.port or free_port()
        self.directory.mkdir(parents=True, exist_ok=True)
        account = ["-u", OWNER] if os.geteuid() == 0 else []
        if account:
            os.chown(self.directory, _account().pw_uid, _account().pw_gid)
        kept = ["-d", str(self.directory / "%M.")] if self.keep else []
        command = [str(debian.program("usr/sbin/smtp-sink")), *account, *(["-L"] if self.lmtp else []), *kept, *words, f"127.0.0.1:{self.port}", "1024"]
        process = subprocess.Popen(command, env=debian.environment(), cwd=self.directory)
        try:
            wait_until(lambda: greets(self.port) or process.poll() is not None)
            if process.poll() is not None:
                raise RuntimeError(f"smtp-sink ended with {process.returncode}")
            yield self
        finally:
            process.kill()
            process.wait()


def smtp_source(port: int, *words: str) -> float:
    """Run ``smtp-source`` with ``words`` against the port; the seconds it took. Raises ``CalledProcessError``."""
    began = time.monotonic()
    subprocess.run([debian.program("usr/sbin/smtp-source"), *words, f"inet:127.0.0.1:{port}"], env=debian.environment(), check=True, capture_output=True, text=True)
    return time.monotonic() - began


def _maildir(address: str) -> str:
    local, _, domain = address.partition("@")
    return f"{domain}/{local}"


def _account() -> pwd.struct_passwd:
    """Postfix's own user and group for the tests, made at first need."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(OWNER)
    subprocess.run(["groupadd", "--system", DROP_GROUP], capture_output=True)
    made = subprocess.run(["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", OWNER], capture_output=True, text=True)
    try:
        return pwd.getpwnam(OWNER)
    except KeyError:
        raise MissingServer(f"Postfix needs a user {OWNER!r} that could not be made: {made.stderr.strip()}") from None
