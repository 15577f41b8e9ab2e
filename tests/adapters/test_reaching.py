"""The guard of our own network, one for all that people may have us connect to."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from colporteur.adapters.reaching import outside
from colporteur.adapters.sources import Trouble, connecting
from colporteur.adapters.sources.kinds import connect
from colporteur.domain.mailboxes import Account


@pytest.mark.parametrize(("address", "networks", "expected"), [
    ("9.9.9.9", (), True), ("10.0.5.7", (), False), ("10.0.5.7", ("10.0.5.0/24",), True), ("10.0.6.7", ("10.0.5.0/24",), False), ("::ffff:10.0.5.7", ("10.0.5.0/24",), False),
    ("127.0.0.1", ("10.0.5.0/24",), False), ("fd00::1", ("fd00::/8",), True), ("64:ff9b::a00:507", (), False), ("169.254.169.254", (), False), ("100.64.0.1", (), False), ("x", ("10.0.5.0/24",), False),
])  # fmt: skip
def test_what_lies_outside(address: str, networks: tuple[str, ...], expected: bool) -> None:
    assert outside(address, networks) is expected


@pytest.mark.parametrize("kind", ["imap", "pop3"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0"])
def test_a_mailbox_inside_is_refused_before_anything_is_connected(kind: str, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        account = Account(kind, host, server.getsockname()[1], "liste", "s3cret", tls="none", reach=())
        with pytest.raises(Trouble, match="network of its own") as refused:
            connect(account, 1000).listing()
        assert refused.value.lasting
        with pytest.raises(BlockingIOError):
            server.accept()


def test_what_was_really_connected_to_is_looked_at_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        account = Account("pop3", "127.0.0.1", server.getsockname()[1], "liste", "s3cret", tls="none", reach=())
        with socket.create_connection(server.getsockname()) as wire:
            with pytest.raises(Trouble, match="network of its own"):
                connecting.check_peer(account, wire)
            connecting.check_peer(replace(account, reach=("127.0.0.0/8",)), wire)
            connecting.check_peer(replace(account, reach=None), wire)
