"""The local mode: files in, one real Envoy per Gateway. Settings become objects that know each other."""

import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from xds_server.app.tasks import until
from xds_server.control import Changes, Control
from xds_server.envoy.bootstrap import BootstrapOptions, bootstrap, to_json
from xds_server.model.batch import Batch
from xds_server.model.meta import Key
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.settings import Settings
from xds_server.shell.clock import tell_time
from xds_server.shell.debug import Debug, Sources
from xds_server.shell.echo import EchoUnavailableError, serve_echo
from xds_server.shell.envoy import EnvoyOptions, EnvoyUnavailableError, Supervisor, envoy_version, find_envoy
from xds_server.shell.file_log import FileLog
from xds_server.shell.files import FileSource
from xds_server.shell.local import Local
from xds_server.shell.metrics import Metrics
from xds_server.shell.report import Reporter
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.server import BindError, Serving
from xds_server.shell.signals import stop_on_signals
from xds_server.shell.trusted import system_authorities
from xds_server.shell.verdicts import VerdictLog

log = structlog.get_logger()

_ADVICE = "end what listens there, or give another with"


async def run(settings: Settings) -> None:
    """The local mode: files in, one real Envoy per Gateway, until SIGINT or SIGTERM.

    Raises BindError, EnvoyUnavailableError or EchoUnavailableError when it cannot start; the texts say what to do.
    """
    stop = asyncio.Event()
    stop_on_signals(stop)
    async with AsyncExitStack() as stack:
        supervisor = await _supervisor(settings, stack)
        control = Control(
            build(_options(settings)),
            batch_seconds=settings.batch_seconds,
            batch_max_seconds=settings.batch_max_seconds,
        )
        source = Source(control, FileSource(settings.paths))
        registry = CollectorRegistry()
        metrics = Metrics(registry, control.pipeline, lambda: source.batch.faults)
        control.watch(metrics.settled)
        serving = Serving(control.catalog, Reporter(control, metrics), ServeOptions.of(settings))
        control.wake = serving.wake
        await _start(serving)
        stack.push_async_callback(serving.stop)
        debug = Debug(_sources(control, serving, source, registry))
        await debug.start(settings.admin_address)
        stack.push_async_callback(debug.stop)
        local = Local(control, supervisor, _bootstrap(settings, serving), settings.port_offset, _say_as(settings))
        control.watch(local.settled)
        control.watch(VerdictLog(control.pipeline).settled)
        await until(stop, _tasks(settings, control, serving, local, source, stop=stop))
        log.info("stopping")


def _options(settings: Settings) -> Options:
    """What is trusted as `System` is what this machine trusts, where the Envoys are."""
    return Options(
        any_class=True,
        default_bind=None,
        allow_external_names=settings.allow_external_names,
        system_authorities=system_authorities(),
    )


def _sources(control: Control, serving: Serving, source: "Source", registry: CollectorRegistry) -> Sources:
    return Sources(
        pipeline=control.pipeline,
        catalog=control.catalog,
        clients=serving.clients,
        registry=registry,
        faults=lambda: source.batch.faults,
        ignored=lambda: source.batch.ignored,
        unready=lambda: "" if control.ready.is_set() else "the files have not been read yet",
    )


def _tasks(
    settings: Settings, control: Control, serving: Serving, local: Local, source: "Source", *, stop: asyncio.Event
) -> dict[str, Coroutine[Any, Any, None]]:
    tasks = {
        "control": control.run(),
        "files": source.run(),
        "local": local.run(),
        "readiness": _become_ready(control, local, serving),
        "clock": tell_time(control),
    }
    if settings.echo_address:
        tasks["echo"] = _echo(settings.echo_address, stop)
    return tasks


async def _start(serving: Serving) -> None:
    """The errors of parts that other verbs have too are told with the option that is to be changed here."""
    try:
        await serving.start()
    except BindError as error:
        raise BindError(error.address, f"{error.reason}; {_ADVICE} --ads-address") from error


async def _echo(address: str, stop: asyncio.Event) -> None:
    try:
        await serve_echo("httpbin", address, stop=stop)
    except EchoUnavailableError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        reason = os.strerror(error.__cause__.errno or 0).lower()
        raise EchoUnavailableError(f"cannot listen on {address}: {reason}; {_ADVICE} --echo") from error


async def _supervisor(settings: Settings, stack: AsyncExitStack) -> Supervisor | None:
    if not settings.start_envoy:
        return None
    envoy = find_envoy(settings.envoy)
    if settings.access_logs is not None:
        try:
            settings.access_logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvoyUnavailableError(f"--access-logs {settings.access_logs}: {error.strerror}") from error
    log.info("envoy found", version=await envoy_version(envoy))
    return await stack.enter_async_context(Supervisor(EnvoyOptions(envoy=envoy, access_logs=settings.access_logs)))


def _bootstrap(settings: Settings, serving: Serving) -> Callable[[Key], dict[str, Any]]:
    host = settings.ads_address.rpartition(":")[0].strip("[]")
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)

    def function(gateway: Key) -> dict[str, Any]:
        options = BootstrapOptions(gateway=gateway, pod=gateway.name, ads_host=reachable, ads_port=serving.port)
        return to_json(bootstrap(options))

    return function


async def _become_ready(control: Control, local: Local, serving: Serving) -> None:
    """Nobody is answered before the Gateways have their addresses: an Envoy would be told to drop its listeners."""
    await control.ready.wait()
    await local.placed.wait()
    gc.collect()
    gc.freeze()
    await serving.ready()
    await asyncio.Event().wait()


@dataclass(slots=True)
class Source:
    """Files on their way into the loop; what is wrong with them is told."""

    control: Control
    files: FileSource
    batch: Batch = field(default_factory=Batch)
    """The newest batch: what is wrong, and what was passed over, now."""
    log: FileLog = field(default_factory=FileLog)

    async def run(self) -> None:
        """Submits batches until cancelled."""
        async for batch in self.files.batches():
            self.batch = batch
            self.log.read(batch)
            self.control.submit(Changes(batch.upserts, batch.removals))


def _say_as(settings: Settings) -> Callable[[str], None]:
    """How people are told things: as they are, or as log lines where lines are for machines."""
    if settings.log_format == "json":
        return lambda text: log.info("told", text=text)
    return _say


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
