"""The launcher before it becomes another program; what the kernel does then is tested with Envoy in test_envoy.py."""

import asyncio
import os
import sys

from xds_server.shell import die_with_parent


async def run_launcher(parent_pid: int, *command: str) -> tuple[int | None, bytes]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", die_with_parent.__file__, str(parent_pid), *command,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, said


async def test_the_launcher_runs_nothing_when_its_parent_is_gone() -> None:
    assert await run_launcher(os.getpid(), "/bin/echo", "ran") == (0, b"ran\n")
    assert await run_launcher(os.getppid(), "/bin/echo", "ran") == (127, b"")


async def test_the_launcher_names_what_cannot_be_run() -> None:
    assert await run_launcher(os.getpid(), "/no/such") == (127, b"/no/such: No such file or directory\n")
