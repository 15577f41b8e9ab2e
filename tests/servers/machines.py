"""Machines of our own: each a network namespace with an address, on one switch whose cables can be pulled. Needs root."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers import debian

_CLONE_NEWNET = 0x40000000
_numbers = itertools.count(1)


class NoNetwork(Exception):
    """This system lets nobody make networks; the message is its own."""


class Machine:
    """A host at ``address``. What is started ``inside()`` lives there: processes, threads and their sockets."""

    def __init__(self, network: Network, name: str, number: int) -> None:
        self.network, self.name, self.address = network, f"{network.name}-{name}", f"10.99.0.{number}"
        self.cable = f"{network.name}v{number}"[-15:]
        network.make_namespace(self.name)
        network.ip("link", "add", "eth0", "netns", self.name, "type", "veth", "peer", "name", self.cable, "netns", network.switch)
        network.ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", "eth0")
        network.ip("-n", self.name, "link", "set", "eth0", "up")
        network.ip("-n", network.switch, "link", "set", self.cable, "up")
        self.plug()

    def plug(self) -> None:
        """Put its cable in the switch."""
        self.network.ip("-n", self.network.switch, "link", "set", self.cable, "master", "switch")

    def cut_off(self) -> None:
        """Pull the cable: nothing arrives any more, either way, and nobody is told."""
        self.network.ip("-n", self.network.switch, "link", "set", self.cable, "nomaster")

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and whatever it starts meanwhile, is on the machine."""
        with open("/proc/thread-self/ns/net") as here, open(Path("/run/netns", self.name)) as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())


class Network:
    """Machines that reach each other and nothing else; gone at the end of the block. Raises ``NoNetwork``."""

    def __init__(self) -> None:
        self.name = f"cp{os.getpid()}{next(_numbers)}"
        self.switch = f"{self.name}-switch"
        self.machines: list[Machine] = []
        self._made: list[str] = []

    def __enter__(self) -> Network:
        try:
            self.make_namespace(self.switch)
            self.ip("-n", self.switch, "link", "add", "switch", "type", "bridge")
            self.ip("-n", self.switch, "link", "set", "switch", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._made:
            subprocess.run([_program(), "netns", "delete", name], capture_output=True)

    def machine(self, name: str) -> Machine:
        """One more."""
        made = Machine(self, name, len(self.machines) + 1)
        self.machines.append(made)
        return made

    def make_namespace(self, name: str) -> None:
        """A namespace whose own 127.0.0.1 works."""
        self.ip("netns", "add", name)
        self._made.append(name)
        self.ip("-n", name, "link", "set", "lo", "up")

    def ip(self, *words: str) -> None:
        """Run ``ip``."""
        done = subprocess.run([_program(), *words], capture_output=True, text=True)
        if done.returncode:
            raise NoNetwork(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _program() -> Path:
    return debian.installed("ip", "iproute2")


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "a network namespace cannot be entered")
