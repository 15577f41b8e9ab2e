"""Somebody's PostgreSQL, reached by TCP with a password, apart from the one the tests live in."""

from __future__ import annotations

import contextlib
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg

from colporteur.daemons.postgresql import Server
from tests.servers.ports import wait_until

USER, PASSWORD, DATABASE = "amap", "secret", "amap"


class PostgreSql:
    """Database ``amap`` of the user ``amap``, on an address of this machine and the usual port."""

    def __init__(self, host: str) -> None:
        self.host = host

    @property
    def url(self) -> str:
        """Without user and password."""
        return f"postgresql://{self.host}/{DATABASE}"

    def do(self, *statements: str) -> None:
        """Change what it holds."""
        with psycopg.connect(host=self.host, user=USER, password=PASSWORD, dbname=DATABASE, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[PostgreSql]:
    """One in ``folder``, where its own user must be able to walk in."""
    host = f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.{random.randint(2, 250)}"
    server = Server(folder / "elsewhere", options={"listen_addresses": host, "shared_buffers": "16MB"})
    server.start()
    try:
        with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")  # type: ignore[call-overload]
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {USER}")  # type: ignore[call-overload]
        with open(server.data / "pg_hba.conf", "a") as rules:
            rules.write(f"host all {USER} 127.0.0.0/8 scram-sha-256\n")
        assert server.process
        server.process.send_signal(signal.SIGHUP)
        made = PostgreSql(host)
        wait_until(lambda: _lets_in(made), 90, "PostgreSQL lets nobody in")
        yield made
    finally:
        server.stop()


def _lets_in(made: PostgreSql) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        made.do("SELECT 1")
        return True
    return False
