"""A private Dovecot: IMAP with IDLE, POP3, LMTP, authentication for Postfix; own configuration and ports, from the unpacked package."""

from __future__ import annotations

import contextlib
import datetime
import grp
import imaplib
import os
import pwd
import shutil
import signal
import smtplib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers import debian, postfix
from tests.servers.ports import free_port, greets, listens, wait_until

# Programs and libraries look for modules under a path that was built in; in our copies it is one of the same length
# below the directory every service runs in.
BUILT_IN, OURS = b"/usr/lib/dovecot", b"/proc/self/cwd/L"
PROTOCOLS = ("imap", "imaps", "pop3", "pop3s", "lmtp", "auth")


class Dovecot:
    """One Dovecot on free ports of 127.0.0.1: ``ports["imap"]``, ``imaps``, ``pop3``, ``pop3s``, ``lmtp``, ``auth`` (SASL for Postfix).

    ``accounts``: user (a full address) -> password; mail lies in Maildirs under ``mail/<user>``. TLS has a self-signed
    certificate for ``mail.dovecot.test``. ``delimiter``: recipient delimiter of LMTP, "" for a host without.
    Its own user must be able to walk in, and every pytest that starts shuts the folders of all the others (0700): so it
    lives in a folder of its own, gone at the end of the ``with`` block; its log stays in ``keep``.
    """

    def __init__(self, keep: Path, accounts: Mapping[str, str], *, delimiter: str = "+", options: str = "") -> None:
        self.keep = keep
        directory = Path(tempfile.mkdtemp(prefix="colporteur-dovecot-", dir="/tmp"))
        directory.chmod(0o755)
        self.directory, self.accounts, self.delimiter, self.options = directory, dict(accounts), delimiter, options
        self.ports = {name: free_port() for name in PROTOCOLS}
        self.mail, self.log, self.certificate, self.programs = directory / "mail", directory / "log", directory / "certificate.pem", directory / "programs"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Dovecot:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.keep.mkdir(parents=True, exist_ok=True)
        (self.keep / "dovecot.log").write_text(self.words())
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        """Write the configuration, start the master, wait until every port answers."""
        account = _account()
        self.mail.mkdir(exist_ok=True)
        os.chown(self.mail, account.pw_uid, account.pw_gid)
        if not self.certificate.exists():
            make_certificate(self.certificate, self.directory / "key.pem")
        self._copy_programs()
        self._write_accounts()
        (self.directory / "dovecot.conf").write_text(self._settings(account))
        config = self.directory / "dovecot.conf"
        # The master looks for doveconf under /usr/bin; called the other way round it need not.
        self.process = subprocess.Popen(
            [debian.program("usr/bin/doveconf"), "-f", "service=master", "-c", config, "-m", "master", "-e", debian.program("usr/sbin/dovecot"), "-F", "-c", config], env=self._environment(), cwd="/", start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(lambda: self._alive() and all(self._answers(name) for name in PROTOCOLS), 90, f"Dovecot does not answer; its log: {self.log}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it with every connection; SIGKILL for a crash. Mail stays and is there again at ``start``."""
        if self.process and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def set_password(self, user: str, password: str) -> None:
        """From now on the account opens with this one only."""
        self.accounts[user] = password
        self._write_accounts()

    def deliver(self, user: str, raw: bytes, *, sender: str = "", recipient: str = "") -> None:
        """Hand over one message by LMTP, as the host's own mail server does: trace headers are put on top."""
        with smtplib.LMTP("127.0.0.1", self.ports["lmtp"]) as client:
            client.sendmail(sender, [recipient or user], raw)

    def put(self, user: str, raw: bytes, folder: str = "INBOX") -> None:
        """Put exactly these bytes into the account."""
        with self.imap(user) as client:
            assert client.append(folder, "", "", raw)[0] == "OK"  # type: ignore[arg-type]

    def put_many(self, user: str, raws: Iterable[bytes]) -> None:
        """Put exactly these bytes into the account, as files: bytes no protocol would carry too."""
        with self.imap(user) as client:
            client.select()  # makes the folders
        owner, folder = _account(), self.mail / user / "Maildir"
        for number, raw in enumerate(raws):
            path = folder / "tmp" / f"1700000000.{number:06}.put"
            path.write_bytes(raw)
            os.chown(path, owner.pw_uid, owner.pw_gid)
            path.rename(folder / "new" / path.name)

    def messages(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """Messages lying in a folder, read by IMAP."""
        with self.imap(user) as client:
            typ, data = client.select(folder, readonly=True)
            if typ != "OK" or data[0] in (b"0", None):
                return []
            rows = client.fetch("1:*", "(BODY.PEEK[])")[1]
            return [row[1] for row in rows if isinstance(row, tuple)]

    def clear(self, user: str) -> None:
        """Leave no message in the account's INBOX."""
        with self.imap(user) as client:
            client.select()
            client.uid("STORE", "1:*", "+FLAGS", "\\Deleted")
            client.expunge()

    @contextlib.contextmanager
    def imap(self, user: str) -> Iterator[imaplib.IMAP4]:
        """A plain client, signed in."""
        client = imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=120)
        client.login(user, self.accounts[user])
        try:
            yield client
        finally:
            client.logout()

    def url(self, protocol: str, user: str, **options: str) -> str:
        """URL of an account as ``mailbox add`` takes it."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        quoted = user.replace("@", "%40")
        return f"{protocol}://{quoted}:{self.accounts[user]}@127.0.0.1:{self.ports[protocol]}/INBOX" + (f"?{query}" if query else "")

    def words(self) -> str:
        """What Dovecot logged so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # --- how ---

    def _alive(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise RuntimeError(f"Dovecot ended with {self.process.returncode}:\n{self.words()[-3000:]}")
        return True

    def _answers(self, name: str) -> bool:
        """With TLS the client speaks first; the other services are up when they greet."""
        return listens(self.ports[name]) if name.endswith("s") else greets(self.ports[name])

    def _environment(self) -> dict[str, str]:
        known = debian.environment()
        return known | {"LD_LIBRARY_PATH": f"{self.programs}:{known['LD_LIBRARY_PATH']}"}

    def _copy_programs(self) -> None:
        if self.programs.exists():
            return
        shutil.copytree(debian.program("usr/lib/dovecot"), self.programs, symlinks=True)
        for path in self.programs.iterdir():
            if path.is_file() and not path.is_symlink() and BUILT_IN in (program := path.read_bytes()):
                path.write_bytes(program.replace(BUILT_IN, OURS))
        run = self.directory / "run"
        run.mkdir(exist_ok=True)
        (run / "L").symlink_to(self.programs)

    def _write_accounts(self) -> None:
        path = self.directory / "accounts"
        path.with_suffix(".new").write_text("".join(f"{user}:{{PLAIN}}{password}\n" for user, password in self.accounts.items()))
        path.with_suffix(".new").chmod(0o644)
        path.with_suffix(".new").rename(path)

    def _settings(self, account: pwd.struct_passwd) -> str:
        ports = self.ports
        login = "nobody" if os.geteuid() == 0 else account.pw_name
        listeners = "".join(
            f"service {service} {{\n  inet_listener {name} {{\n    address = 127.0.0.1\n    port = {ports[name]}\n    {'ssl = yes' if name.endswith('s') else ''}\n  }}\n  {more}\n}}\n"
            for service, name, more in (
                ("imap-login", "imap", "chroot =\n  process_limit = 200"), ("imap-login", "imaps", ""), ("pop3-login", "pop3", "chroot ="), ("pop3-login", "pop3s", ""),
                ("lmtp", "lmtp", "process_min_avail = 1"), ("auth", "auth", ""),
            )
        )  # fmt: skip
        return f"""\
base_dir = {self.directory}/run
state_dir = {self.directory}/state
log_path = {self.log}
libexec_dir = {self.programs}
mail_plugin_dir = {self.programs}/modules
import_environment = LD_LIBRARY_PATH LC_ALL
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{self.certificate}
ssl_key = <{self.directory}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_cache_size = 0
auth_failure_delay = 0
default_internal_user = {account.pw_name}
default_internal_group = {_group(account)}
default_login_user = {login}
first_valid_uid = 1
mail_uid = {account.pw_uid}
mail_gid = {account.pw_gid}
mail_home = {self.mail}/%u
mail_location = maildir:~/Maildir
mail_max_userip_connections = 100
recipient_delimiter = {self.delimiter}
lmtp_save_to_detail_mailbox = no
lda_original_recipient_header = X-Original-To
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {self.directory}/accounts
}}
userdb {{
  driver = static
  args = uid={account.pw_uid} gid={account.pw_gid} home={self.mail}/%u
}}
namespace inbox {{
  inbox = yes
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
{listeners}
{self.options}
"""


def _account() -> pwd.struct_passwd:
    """Whose mail it is: the tests' own user when we are root."""
    return postfix._account() if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def _group(account: pwd.struct_passwd) -> str:

    return grp.getgrgid(account.pw_gid).gr_name


def make_certificate(certificate: Path, key: Path, host: str = "mail.dovecot.test") -> None:
    """A self-signed certificate for ``host``, valid for a day."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False).sign(private, hashes.SHA256())
    )  # fmt: skip
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    key.chmod(0o600)
