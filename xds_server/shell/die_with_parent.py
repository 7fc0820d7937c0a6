"""Runs a program that never outlives its parent: `python die_with_parent.py PARENT_PID PROGRAM ARGUMENT…`.

The kernel is asked to kill this process when its parent (the thread that started it) ends, which also holds after
exec. It is asked here, in the child: a `preexec_fn` would run Python between fork and exec, which is unsafe in a
process with gRPC's threads, and from outside it would be too late. Linux only; elsewhere the program just runs.
Reference: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Becomes the program; does not return. Exit code 127 means that it cannot be run, or that the parent is gone."""
    parent, *command = arguments
    if sys.platform == "linux" and ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit("prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != int(parent):  # it ended before the request reached the kernel
        sys.exit(127)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
