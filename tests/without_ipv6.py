"""A program as on a machine whose kernel has no IPv6 (boot parameter `ipv6.disable=1`): there are no sockets of IPv6.

    python tests/without_ipv6.py PROGRAM ARGUMENTS...

A seccomp filter answers socket(AF_INET6, …) as such a kernel does. The sysctl `disable_ipv6` is another matter: it takes
addresses away and leaves the sockets. Linux on x86-64 and arm64.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

RUNNER = (sys.executable, __file__)
"""What to put before a command."""
_SOCKET = {"x86_64": 41, "aarch64": 198}
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _FIRST_ARGUMENT = 0, 16
"""Offsets in what a filter is given of a system call."""
_ERROR, _ALLOW = 0x0005_0000, 0x7FFF_0000
_SET_SECCOMP, _FILTER, _NO_NEW_PRIVILEGES = 22, 2, 38


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def give_up_ipv6() -> None:
    """For this process and all that it becomes. OSError where the kernel has no seccomp."""
    steps = (
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 3, _SOCKET[platform.machine()]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, 1, socket.AF_INET6),
        (_RETURN, 0, 0, _ERROR | errno.EAFNOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    kept = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(steps), ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "no seccomp")


if __name__ == "__main__":
    give_up_ipv6()
    os.execvp(sys.argv[1], sys.argv[1:])
