"""All kinds together: cold start and memory, and for one change of each kind its calls, bytes sent and time."""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.bench import mixed_world as world
from tests.bench.bench_translate import peak_megabytes
from tests.bench.worlds import Document, backend
from xds_server.model.kinds import kind_of
from xds_server.model.parse import parse
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline, build

COUNT = 5_000
TIMES = 9


def _put(pipeline: Pipeline, document: Document) -> None:
    value: Any = parse(document)
    pipeline.inputs.put(kind_of(value).kind, value.metadata.key, value)


def _change(pipeline: Pipeline, what: str, document: Callable[[int], Document]) -> dict[str, Any]:
    """One row: the change is made several times, each with another value; counts are those of the last."""
    took = []
    for serial in range(TIMES):
        made = document(serial + 1)
        began = time.perf_counter()
        _put(pipeline, made)
        settled = pipeline.settle()
        changes = pipeline.publisher.changes(settled)
        took.append((time.perf_counter() - began) * 1000)
    sent = [one for one in changes.values() if one is not None]
    types = sorted({one.type.value for one in sent})
    return {
        "change": what,
        "ms (median)": round(sorted(took)[TIMES // 2], 2),
        "calls": settled.calls.total(),
        "resources sent": f"{len(sent)} ({', '.join(types)})" if sent else "0",
        "bytes sent": sum(len(one.body) for one in sent),
    }


def measure() -> list[dict[str, Any]]:
    """All rows; run in a process of its own so that memory is that of this world."""
    values: list[Any] = [parse(document) for document in world.documents(COUNT)]
    pipeline = build(Options(any_class=True))
    gc.disable()  # as control.py does until the first publish
    started = time.perf_counter()
    for value in values:
        pipeline.inputs.put(kind_of(value).kind, value.metadata.key, value)
    first = pipeline.publisher.changes(pipeline.settle())
    versions = [one.version for one in first.values() if one is not None]
    cold = time.perf_counter() - started
    gc.enable()
    gc.collect()
    gc.freeze()
    found: list[dict[str, Any]] = [
        {
            "change": f"cold start: {cold:.2f} s, peak {peak_megabytes():.0f} MB",
            "resources sent": str(len(versions)),
            "bytes sent": sum(len(one.body) for one in first.values() if one is not None),
        }
    ]
    for kind, index in world.examples(COUNT).items():
        found.append(_change(pipeline, kind, lambda n, k=kind, i=index: world.route(k, i, f"v{n}")))  # type: ignore[misc]
    found.append(_change(pipeline, "listener added, hostname changed", _listener))
    found.append(_change(pipeline, "certificate rotated", lambda n: world.secret(7, n)))
    found.append(_change(pipeline, "endpoint moved", _endpoint))
    found.append(_change(pipeline, f"grant ({COUNT * 76 // 1000} routes need it)", _grant))
    found.append(_change(pipeline, "policy edited", lambda n: world.policy(25, f"v{n}")))
    found.append(_change(pipeline, "authorities of all policies", world.authorities))
    found.append(_change(pipeline, "retries limited", lambda n: world.traffic_policy(12, 20 + n)))
    return found


def _listener(serial: int) -> Document:
    return world.gateway({"name": "more", "port": 80, "protocol": "HTTP", "hostname": f"v{serial}.example.org"})


def _endpoint(serial: int) -> Document:
    *_, endpoints = backend(11)
    endpoints["endpoints"] = [{"addresses": [f"127.2.0.{serial}"]}]
    return endpoints


def _grant(serial: int) -> Document:
    document = world.grant()
    document["spec"]["to"][0]["name"] = "shared" if serial % 2 == 0 else "nothing"
    return document


def rows() -> list[dict[str, Any]]:
    """All kinds: 5,000 routes (HTTP, gRPC, TLS, TCP, UDP), 50 listeners, 500 certificates, policies and grants."""
    code = "import json; from tests.bench.bench_mixed import measure; print(json.dumps(measure()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
