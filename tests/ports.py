"""Ports of 127.0.0.1 on which nothing listens, no two of a process the same: they are chosen before they are used."""

import random
import socket
from contextlib import suppress

_PORTS = range(20_000, 30_000)
"""Below those that the kernel gives to connections (ip_local_port_range): none takes one before it is used."""


_given: set[tuple[socket.SocketKind, int]] = set()


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    return _free(socket.SOCK_STREAM)


def free_udp_port() -> int:
    """A UDP port that was free a moment ago."""
    return _free(socket.SOCK_DGRAM)


def _free(kind: socket.SocketKind) -> int:
    choose = random.SystemRandom()  # the seed of property tests would choose the same ones again and again
    while True:
        port = choose.choice(_PORTS)
        if (kind, port) in _given:
            continue
        with socket.socket(type=kind) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add((kind, port))
            return port
