"""Stories of routes with real workers: a server dies in mid-send, the other takes over, and it comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from colporteur.daemons.settling import MOST_UNSETTLED
from colporteur.domain.routes import read
from colporteur.flow import routes
from colporteur.store.mailings import Slice
from colporteur.store.transports import Transport
from tests.daemons.delivering import a_mailing, is_in, sound
from tests.servers.ports import wait_until
from tests.servers.sink import Drop, Session, Sink
from tests.story.scenes import Installation, a_list, a_transport

MEMBERS, CONNECTIONS = 8_000, 5


@pytest.fixture
def installation(tmp_path: Path, transactional_db: None) -> Iterator[Installation]:
    with Installation(tmp_path / "installation", options={"COLPORTEUR_CONNECTIONS": str(CONNECTIONS)}) as made:
        yield made


def test_a_server_that_dies_under_two_workers_is_replaced_and_returns(installation: Installation, tmp_path: Path) -> None:
    with Sink() as main, Sink() as second, Installation(tmp_path / "another", database=installation.database, options={"COLPORTEUR_CONNECTIONS": str(CONNECTIONS)}) as another:
        a_transport(f"smtp://127.0.0.1:{main.port}", "main")
        a_transport(f"smtp://127.0.0.1:{second.port}", "second", default=False)
        list_ = a_list(members=MEMBERS)
        routes.set_route(list_, read(["main:3", "second"]), timezone.now(), by="test")
        mailing = a_mailing(list_)

        def dies(event: str, argument: str, session: Session) -> str | Drop | None:
            if len(main.taken) < 2_000:
                return None
            return "421 4.3.2 Going down" if event == "CONNECT" else Drop(keep=event == "BODY") if event in ("MAIL", "BODY") else None

        main.script = dies
        installation.start("worker")
        another.start("worker")

        def nearly() -> bool:  # copies whose outcome nobody knows are tried once more, later
            Slice.objects.filter(mailing=mailing, done=False, due_at__isnull=False).update(due_at=None)
            return is_in(mailing, "done")()

        wait_until(nearly, 180, installation.words("worker")[-3000:])
        received = main.received() + second.received()
        assert len(received) == MEMBERS
        unanswered = sum(1 for one in main.taken if not one.answered)
        assert sum(received.values()) - MEMBERS <= unanswered <= 2 * (MOST_UNSETTLED + CONNECTIONS)
        sound(mailing)

        main.script = None
        Transport.objects.filter(name="main").update(next_try=timezone.now(), checked_at=None)
        wait_until(lambda: Transport.objects.get(name="main").failures == 0, 60, installation.words("worker")[-3000:])
        before = len(main.taken), len(second.taken)
        again = a_mailing(list_)
        wait_until(is_in(again, "done"), 120)
        assert (len(main.taken) - before[0], len(second.taken) - before[1]) == (6_000, 2_000)
        assert set(installation.stop().values()) | set(another.stop().values()) == {0}
        assert sum((main.received() + second.received()).values()) - 2 * MEMBERS <= unanswered
        sound(again)
