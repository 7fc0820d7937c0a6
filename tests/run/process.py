"""`xds-server run` as a process: started on free ports, read, and ended by its pid.

    async with Server(folder) as server:
        await server.says("Try:")

It has a temporary folder of its own, by which the Envoys that it starts are found, whatever it says of them. It ends
with the process that started it. What it said is shown when a wait fails; conftest adds it to every failed test.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Final

import aiohttp

from tests.ports import free_port
from xds_server.shell import die_with_parent

SECONDS: Final = 25.0
"""How long to wait for what takes a second on a machine that is not busy; after 30 s all files are looked at anyway."""
OUTPUTS: Final[list["Server"]] = []
"""The servers that the running test may have used."""


class Server:
    """One `xds-server run FOLDER`. Addresses are those it is told; `lines` is its standard error so far."""

    def __init__(self, folder: Path, *arguments: str, port_offset: int = 8000) -> None:
        self.ads = f"127.0.0.1:{free_port()}"
        self.admin = f"127.0.0.1:{free_port()}"
        self.echo = f"127.0.0.1:{free_port()}"
        self.port_offset = port_offset
        self.lines: list[str] = []
        self.folder = folder
        self._arguments = arguments
        self._temporary = tempfile.TemporaryDirectory(prefix="run-")
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._said = asyncio.Event()

    async def __aenter__(self) -> "Server":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Starts it; returns at once. It may be started again on the same addresses once it has ended."""
        command = [sys.executable, "-m", "xds_server", "run", str(self.folder), *self._arguments]
        command += ["--ads-address", self.ads, "--admin-address", self.admin, "--echo", self.echo]
        command += ["--port-offset", str(self.port_offset)]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), *command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "TMPDIR": self._temporary.name},
        )
        self._reader = asyncio.create_task(self._read(self._process.stderr))
        OUTPUTS.append(self)

    async def close(self) -> None:
        """Ends it, and whatever it left behind."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self._process.wait()
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
        for pid in self.envoys():
            with contextlib.suppress(ProcessLookupError):  # it may be about to end by itself
                os.kill(pid, signal.SIGKILL)
        if self._reader is not None:
            await self._reader
        self._temporary.cleanup()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process is not None and self._process.returncode is not None

    @property
    def output(self) -> str:
        """Everything it said, as one text."""
        return "\n".join(self.lines)

    @property
    def temporary(self) -> Path:
        """Its folder for temporary files."""
        return Path(self._temporary.name)

    def kill(self) -> None:
        """SIGKILL, to it alone."""
        os.kill(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM, to it alone."""
        os.kill(self.pid, signal.SIGTERM)

    def interrupt(self, number: signal.Signals) -> None:
        """The signal to its whole process group, as a terminal sends it for Ctrl-C."""
        os.killpg(self.pid, number)

    async def ended(self, seconds: float = SECONDS) -> int:
        """Its exit code, once it has ended and all that it said is read."""
        assert self._process is not None
        assert self._reader is not None
        async with asyncio.timeout(seconds):
            code = await self._process.wait()
        # Envoys that outlive it would hold the pipe open.
        await asyncio.wait([self._reader], timeout=10)
        return code

    def envoys(self, gateway: str = "") -> list[int]:
        """Pids of the Envoys that run now: of this Gateway (NAMESPACE/NAME), or all of them."""
        mark = f"{self._temporary.name}/"
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    command = (entry / "cmdline").read_bytes().decode(errors="replace")
                    if mark in command and gateway.replace("/", "_") in command:
                        found.append(int(entry.name))
        return found

    async def says(self, pattern: str, *, after: int = 0, seconds: float = SECONDS) -> re.Match[str]:
        """The first match of the expression (lines are separate) in what it says from line `after` on."""
        async with asyncio.timeout(seconds) as limit:
            try:
                while True:
                    self._said.clear()
                    if found := re.search(pattern, "\n".join(self.lines[after:]), re.MULTILINE):
                        return found
                    assert self._reader is not None
                    assert not self._reader.done(), f"it ended without saying {pattern!r}; it said:\n{self.output}"
                    await self._said.wait()
            finally:
                if limit.expired():
                    print(f"it did not say {pattern!r}")

    async def debug(self, path: str) -> Any:
        """A page of the admin endpoint, as JSON."""
        status, text = await self.page(path)
        assert status == 200, text
        return json.loads(text)

    async def page(self, path: str) -> tuple[int, str]:
        """A page of the admin endpoint: status and text."""
        async with aiohttp.ClientSession() as http, http.get(f"http://{self.admin}{path}") as response:
            return response.status, await response.text()

    async def _read(self, stderr: asyncio.StreamReader | None) -> None:
        assert stderr is not None
        while line := await stderr.readline():
            self.lines.append(line.decode(errors="replace").rstrip("\n"))
            self._said.set()
        self._said.set()


def alive(pid: int) -> bool:
    """Whether the process runs; not if it has ended and its parent has only not looked yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


async def until(condition: Callable[[], Any], what: str, *, seconds: float = SECONDS) -> float:
    """Waits until a function or coroutine function returns what is true; how many seconds that took."""
    begun = monotonic()
    while True:
        held = condition()
        if await held if asyncio.iscoroutine(held) else held:
            return monotonic() - begun
        assert monotonic() - begun < seconds, f"{what}: not within {seconds:g} s"
        await asyncio.sleep(0.005)
