"""Through PgBouncer: a pooler that keeps sessions is none of our business, one that shares them is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from tests.daemons.delivering import a_mailing, is_in, sound
from tests.servers.pgbouncer import pgbouncer
from tests.servers.ports import wait_until
from tests.servers.sink import Sink
from tests.story.databases import open_folder
from tests.story.scenes import Installation, a_list, a_transport

pytestmark = pytest.mark.django_db(transaction=True)
MEMBERS = 1500


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


def test_a_pooler_that_keeps_sessions_is_not_noticed(folder: Path, tmp_path: Path) -> None:
    with pgbouncer(folder, "session", connection.settings_dict) as url, Sink(keep_data=False) as sink, Installation(tmp_path / "one", database=url) as installation:
        a_transport(f"smtp://127.0.0.1:{sink.port}")
        installation.start("worker")
        wait_until(lambda: "event=working" in installation.words("worker"), 90, lambda: installation.words("worker")[-3000:])
        mailing = a_mailing(a_list(members=MEMBERS))
        wait_until(is_in(mailing, "done"), 90, lambda: installation.words("worker")[-3000:])
        assert len(sink.received()) == MEMBERS and sink.repeated() == 0
        assert installation.stop("worker") == {"worker": 0}
        assert not any(level in installation.words("worker") for level in ("level=warning", "level=error"))
        sound(mailing)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_shares_sessions_is_refused(mode: str, folder: Path, tmp_path: Path) -> None:
    with pgbouncer(folder, mode, connection.settings_dict) as url:
        installation = Installation(tmp_path / "one", database=url)
        for words in (("worker",), ("doctor",)):
            done = installation.run(*words)
            said = (done.stdout + done.stderr).decode()
            assert done.returncode == 1 and "pool_mode = session" in said, said


def test_what_is_lost_where_sessions_are_shared(folder: Path) -> None:
    """Why such a pooler is refused: nothing of it would fail."""
    with pgbouncer(folder, "transaction", connection.settings_dict) as url, psycopg.connect(url, autocommit=True) as one, psycopg.connect(url, autocommit=True) as other:
        locked = [wire.execute("SELECT pg_try_advisory_lock(1)").fetchone() for wire in (one, other)]
        assert locked == [(True,), (True,)], "both believe that they collect the mailbox"
        one.execute("LISTEN wakes")
        other.execute("NOTIFY wakes")
        assert not list(one.notifies(timeout=0.5, stop_after=1)), "the wake-up went to whoever has the session now"
