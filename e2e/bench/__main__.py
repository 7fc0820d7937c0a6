"""`make bench-cluster`: how fast in a cluster, with a real API server and a real Envoy; the aims beside. Nothing is
asserted here.
"""

import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from e2e import crds
from e2e.bench.world import World, world
from e2e.installation import Images, Installation
from e2e.kubectl import Kubectl, eventually, ready
from xds_server.shell.kube.client import connect

SIZES = (10, 1_000, 3_000)
MOST = 5_000
CHANGES = 60
PAUSE = 0.25
"""Seconds between two changes: each is alone."""
STEADY_SECONDS = 60
GATEWAYS_ALONE = 10
STAGES = ("collect", "settle", "send", "acknowledge")
STAGE = "xds_server_change_seconds"
DECODE = "xds_server_kube_decode_seconds"


async def served(made: World, size: int) -> tuple[str, ...]:
    """HTTPRoute written until it is served, among so many."""
    await made.grow(size)
    for _ in range(5):
        await made.change()
        await asyncio.sleep(PAUSE)
    before = made.installed.metrics(made.pod())
    seconds = []
    for _ in range(CHANGES):
        seconds.append(await made.change())
        await asyncio.sleep(PAUSE)
    after = made.installed.metrics(made.pod())
    decode = mean(before, after, DECODE, "")
    stages = [mean(before, after, STAGE, stage) for stage in STAGES]
    api_server = statistics.mean(seconds) - decode - sum(stages)
    return (
        f"{size:,} routes: written to served",
        milliseconds(statistics.median(seconds)),
        milliseconds(statistics.quantiles(seconds, n=100)[98]),
        *(milliseconds(one) for one in (api_server, decode, *stages)),
        "p50 60 ms" if size == SIZES[-1] else "",
    )


def mean(before: Counter[tuple[str, str]], after: Counter[tuple[str, str]], name: str, label: str) -> float:
    """The mean of a histogram between two looks."""
    count = after[f"{name}_count", label] - before[f"{name}_count", label]
    return (after[f"{name}_sum", label] - before[f"{name}_sum", label]) / count if count else float("nan")


async def programmed(made: World) -> list[tuple[str, str, str]]:
    """Gateways that are applied alone, one after the other, until each is Programmed; then they go."""
    began, gone = [], []
    for number in range(GATEWAYS_ALONE):
        seconds = await made.gateway_alone(f"alone-{number}")
        began.append(seconds[0])
        gone.append(seconds[1])
    return [
        ("a Gateway applied alone, until it is Programmed: median", f"{statistics.median(began):.1f} s", "3 s"),
        ("... the slowest", f"{max(began):.1f} s", ""),
        ("a Gateway deleted, until its Envoy is gone: median", f"{statistics.median(gone):.1f} s", "5 s"),
    ]


async def steady(made: World) -> list[tuple[str, str, str]]:
    """What the server costs while a route among many changes each second."""
    before, began = made.installed.metrics(made.pod()), time.monotonic()
    for second in range(STEADY_SECONDS):
        await made.change()
        await asyncio.sleep(max(0.0, began + second + 1 - time.monotonic()))
    after, seconds = made.installed.metrics(made.pod()), time.monotonic() - began
    cpu = after["process_cpu_seconds_total", ""] - before["process_cpu_seconds_total", ""]
    memory = after["process_resident_memory_bytes", ""]
    return [
        (f"{MOST:,} routes, one change per second: cores", f"{cpu / seconds:.3f}", "0.1"),
        (f"{MOST:,} routes: resident memory", f"{memory / 1e6:.0f} MB", "400 MB"),
    ]


async def cold(made: World) -> list[tuple[str, str, str]]:
    """The server and the Envoy start with nothing; until the Envoy serves all."""
    installed = made.installed
    installed.scale(0)
    old = {str(pod["metadata"]["name"]) for pod in made.envoys()}  # type: ignore[index]
    installed.kubectl.delete("pod", *old, f"--namespace={made.namespace}", seconds=120)
    envoy = eventually(lambda: started(made, old), 60)
    began = time.time()
    installed.kubectl("scale", f"deployment/{installed.name}", f"--namespace={installed.namespace}", "--replicas=1")
    await made.until_served(envoy, made.routes - 1)
    ended = time.time()
    eventually(lambda: any(ready(pod) for pod in installed.pods()), 60)
    process = installed.metrics(made.pod())["process_start_time_seconds", ""]
    return [
        (f"{MOST:,} routes, cold start: from the process until an Envoy is whole", f"{ended - process:.1f} s", "10 s"),
        (f"{MOST:,} routes, cold start: from the pod being asked for", f"{ended - began:.1f} s", ""),
    ]


def started(made: World, old: set[str]) -> str:
    """The address of a new Envoy's pod, once its container runs."""
    for pod in made.envoys():
        states = [one["state"] for one in pod["status"].get("containerStatuses", [])]  # type: ignore[index, attr-defined]
        if pod["metadata"]["name"] not in old and any("running" in state for state in states):  # type: ignore[index]
            return str(pod["status"]["podIP"])  # type: ignore[index]
    return ""


def milliseconds(seconds: float) -> str:
    return "" if seconds != seconds else f"{seconds * 1e3:.1f}"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    made = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        made.add_column(column, justify="right" if index else "left")
    for row in rows:
        made.add_row(*row)
    return made


async def main(most: int) -> None:
    """Runs all."""
    kubectl = Kubectl()
    crds.install(kubectl)
    installed = Installation(kubectl, Images())
    installed.install()
    client = await connect()
    console = Console(width=150)
    try:
        async with world(installed, client) as made:
            costs = await programmed(made)
            rows = [await served(made, size) for size in SIZES if size <= most]
            columns = ("milliseconds", "p50", "p99", "API server", "decode", *STAGES, "aim")
            console.print(table("HTTPRoute written until Envoy serves it; shares are means", columns, rows))
            if most >= MOST:
                await made.grow(MOST)
                costs += [*await steady(made), *await cold(made)]
            console.print(table("Costs", ("figure", "measured", "aim"), costs))
            console.print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, one server, one Envoy")
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else MOST))
