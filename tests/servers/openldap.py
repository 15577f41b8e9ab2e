"""A private OpenLDAP from the unpacked package: one free port, plain and with STARTTLS, another with TLS from the start."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.servers import debian
from tests.servers.dovecot import make_certificate
from tests.servers.ports import free_port, listens, wait_until

SUFFIX, USER, PASSWORD = "dc=amap,dc=test", "cn=reader,dc=amap,dc=test", "secret"


class OpenLdap:
    """``url`` is ldap://, ``tls_url`` ldaps://; the certificate is self-signed for ``localhost``. ``ldif``: what it holds below
    ``SUFFIX``. At most ``limit`` entries are given without pages."""

    def __init__(self, ldif: str, *, limit: int = 500) -> None:
        self.ldif, self.limit = ldif, limit
        self.port, self.tls_port = free_port(), free_port()
        self.url, self.tls_url = f"ldap://localhost:{self.port}", f"ldaps://localhost:{self.tls_port}"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> OpenLdap:
        self.directory = Path(tempfile.mkdtemp(prefix="colporteur-ldap-", dir="/tmp"))
        self.certificate = self.directory / "certificate.pem"
        make_certificate(self.certificate, self.directory / "key.pem", "localhost")
        (self.directory / "data").mkdir()
        (self.directory / "slapd.conf").write_text(self._settings())
        self.load(self.ldif)
        command = [debian.program("usr/sbin/slapd"), "-d", "0", "-f", self.directory / "slapd.conf", "-h", f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"]
        self.process = subprocess.Popen(command, env=debian.environment(), stdout=subprocess.DEVNULL, stderr=open(self.directory / "log", "wb"))
        wait_until(lambda: self._alive() and listens(self.port) and listens(self.tls_port), 90, "OpenLDAP does not answer")
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(60)
        shutil.rmtree(self.directory, ignore_errors=True)

    def load(self, ldif: str) -> None:
        """Add entries, before it runs."""
        done = subprocess.run([debian.program("usr/sbin/slapadd"), "-f", self.directory / "slapd.conf"], input=ldif.encode(), env=debian.environment(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    def _alive(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise RuntimeError(f"OpenLDAP ended: {(self.directory / 'log').read_text()[-2000:]}")
        return True

    def _settings(self) -> str:
        root = debian.root()
        schemas = "".join(f"include {root}/etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson", "nis"))
        return f"""\
{schemas}modulepath {root}/usr/lib/ldap
moduleload back_mdb
pidfile {self.directory}/pid
TLSCertificateFile {self.certificate}
TLSCertificateKeyFile {self.directory}/key.pem
sizelimit size.soft={self.limit} size.hard={self.limit} size.prtotal=unlimited
database mdb
suffix "{SUFFIX}"
rootdn "{USER}"
rootpw {PASSWORD}
directory {self.directory}/data
access to attrs=userPassword by * none
access to * by users read
"""


def people(*names: str, more: str = "") -> str:
    """LDIF of an organisation with these people below ou=people, each with the address name@amap.test."""
    entries = [f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: AMAP\ndc: amap\n", f"dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\nou: people\n"]
    entries += [f"dn: uid={name},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {name}\nsn: {name.title()}\ncn: {name.title()} Amap\nmail: {name}@amap.test\nl: Lyon\n" for name in names]
    return "\n".join(entries) + "\n" + more
