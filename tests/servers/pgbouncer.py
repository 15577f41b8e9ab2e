"""A PgBouncer of its own before the embedded PostgreSQL of the tests."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from colporteur.daemons.binaries import die_with_parent, server_account
from tests.servers import debian
from tests.servers.ports import free_port, listens, wait_until


@contextlib.contextmanager
def pgbouncer(folder: Path, mode: str, database: dict[str, Any]) -> Iterator[str]:
    """URL of ``database`` (Django's settings of it) through one with ``pool_mode = mode``. Its user must be able to walk into ``folder``."""
    account, port = server_account(folder / "none"), free_port()
    users, settings, log = folder / "users.txt", folder / "pgbouncer.ini", folder / "pgbouncer.log"
    users.write_text(f'"{database["USER"]}" ""\n')
    settings.write_text(
        f"[databases]\n* = host={database['HOST']} port={database['PORT']} user={database['USER']}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {users}\n"
        f"pool_mode = {mode}\ndefault_pool_size = 60\n"
    )
    parent = os.getpid()
    with open(log, "ab") as words:
        process = subprocess.Popen(
            [debian.program("usr/sbin/pgbouncer"), settings], stdin=subprocess.DEVNULL, stdout=words, stderr=words, cwd="/", env=debian.environment(),
            preexec_fn=lambda: die_with_parent(signal.SIGTERM, parent), **({"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}),
        )  # fmt: skip
    try:
        wait_until(lambda: process.poll() is not None or listens(port), 60)
        assert process.poll() is None, log.read_text()
        yield f"postgresql://{database['USER']}@127.0.0.1:{port}/{database['NAME']}"
    finally:
        process.kill()
        process.wait()
