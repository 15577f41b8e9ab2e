"""A private MariaDB from the unpacked package, on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pymysql

from tests.servers import debian
from tests.servers.ports import free_port, wait_until

USER, PASSWORD, DATABASE = "amap", "secret", "amap"


class MariaDb:
    """Database ``amap`` that the user ``amap`` may read and write."""

    def __enter__(self) -> MariaDb:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="colporteur-mariadb-", dir="/tmp"))
        (self.directory / "data").mkdir()
        self._bootstrap()
        self.process = subprocess.Popen(
            [*self._command(), f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.directory}/socket", f"--pid-file={self.directory}/pid"], env=debian.environment(),
            stdout=subprocess.DEVNULL, stderr=open(self.directory / "log", "wb"),
        )  # fmt: skip
        wait_until(self._answers, 120, "MariaDB does not answer")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(90)
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def url(self) -> str:
        """Without user and password."""
        return f"mysql://127.0.0.1:{self.port}/{DATABASE}"

    def do(self, *statements: str) -> None:
        """Change what it holds."""
        with pymysql.connect(host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, database=DATABASE, charset="utf8mb4", autocommit=True) as client, client.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"MariaDB ended: {(self.directory / 'log').read_text()[-2000:]}")
        try:
            self.do("SELECT 1")
        except pymysql.MySQLError:
            return False
        return True

    def _command(self) -> list[str]:
        root = debian.root()
        user = ["--user=root"] if os.geteuid() == 0 else []
        messages = f"--lc-messages-dir={root}/usr/share/mysql"
        return [str(debian.program("usr/sbin/mariadbd")), "--no-defaults", *user, f"--basedir={root}/usr", messages, f"--datadir={self.directory}/data", "--innodb-buffer-pool-size=16M", "--skip-log-bin"]

    def _bootstrap(self) -> None:
        scripts = debian.root() / "usr/share/mysql"
        tables = "".join((scripts / name).read_text(errors="replace") for name in ("mysql_system_tables.sql", "mysql_system_tables_data.sql"))
        ours = (
            f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4;\nFLUSH PRIVILEGES;\nCREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON {DATABASE}.* TO '{USER}'@'%';\n"
        )
        words = "CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n" + tables + ours
        done = subprocess.run([*self._command(), "--bootstrap"], input=words.encode(), env=debian.environment(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
