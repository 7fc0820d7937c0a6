"""Ports of 127.0.0.1 on which nothing listens."""

import itertools
import random
import socket
from contextlib import suppress

_PORTS = range(20_000, 30_000)
"""Below those that the kernel gives to connections (ip_local_port_range): none takes one before it is used."""
_order = list(_PORTS)
random.SystemRandom().shuffle(_order)  # the seed of property tests would choose the same ones again and again
_next = itertools.cycle(_order)
"""Who asks for several before they are bound is never given one twice."""


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    return _free(socket.SOCK_STREAM)


def free_udp_port() -> int:
    """A UDP port that was free a moment ago."""
    return _free(socket.SOCK_DGRAM)


def _free(kind: socket.SocketKind) -> int:
    while True:
        port = next(_next)
        with socket.socket(type=kind) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
