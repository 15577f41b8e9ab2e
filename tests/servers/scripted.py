"""Servers that misbehave on purpose: one that says what a script tells it, and a proxy that cuts connections."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

Script = Callable[[BinaryIO, Callable[[bytes], None]], None]
"""Called for every connection with what can be read, and a function that sends."""


@contextlib.contextmanager
def scripted(script: Script) -> Iterator[int]:
    """Run ``script`` for each connection on a free port; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as lines:
                script(lines, connection.sendall)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _peer = server.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def cutting(port: int, most: int, seed: int) -> Iterator[tuple[int, list[int]]]:
    """A proxy before ``port`` that cuts each connection after a random number of the server's bytes, at most ``most``.

    Yields its port and the list of cuts made so far; a cut of 0 in ``most`` stands for none.
    """
    dice, cuts = random.Random(seed), []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(client: socket.socket) -> None:
            left = dice.randrange(1, most)
            with contextlib.suppress(OSError), client, socket.create_connection(("127.0.0.1", port)) as upstream:
                threading.Thread(target=_pour, args=(client, upstream), daemon=True).start()
                while data := upstream.recv(65536):
                    client.sendall(data[:left])
                    left -= len(data)
                    if left <= 0:
                        cuts.append(1)
                        client.shutdown(socket.SHUT_RDWR)
                        upstream.shutdown(socket.SHUT_RDWR)
                        return
                client.shutdown(socket.SHUT_RDWR)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _peer = server.accept()
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], cuts
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
