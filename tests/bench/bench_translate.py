"""Translate and encode: cold, and one of N edited. Times are of this process's CPU; calls are counted by tests."""

import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench import worlds
from xds_server.model.kinds import kind_of
from xds_server.model.parse import parse
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline, build

EDITS = 25


def _put(pipeline: Pipeline, document: worlds.Document) -> None:
    value: Any = parse(document)
    pipeline.inputs.put(kind_of(value).kind, value.metadata.key, value)


def _publish(pipeline: Pipeline) -> int:
    changes = pipeline.publisher.changes(pipeline.settle())
    return sum(len(resource.version) for resource in changes.values() if resource is not None)


def peak_megabytes() -> float:
    """The most memory that this process has had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(count: int, *, one_host: bool) -> dict[str, Any]:
    """One row; run in a process of its own so that memory is that of this world."""
    documents = list(worlds.documents(count, one_host=one_host))
    values: list[Any] = [parse(document) for document in documents]
    del documents
    started = time.perf_counter()
    pipeline = build(Options(any_class=True))
    gc.disable()  # as control.py does until the first publish
    for value in values:
        pipeline.inputs.put(kind_of(value).kind, value.metadata.key, value)
    _publish(pipeline)
    gc.enable()
    cold = time.perf_counter() - started
    gc.collect()
    gc.freeze()
    edits = []
    for edit in range(EDITS):
        document = worlds.route(edit * 7 % count, f"edit-{edit}", host="shop.example.com" if one_host else "")
        began = time.perf_counter()
        _put(pipeline, document)
        _publish(pipeline)
        edits.append((time.perf_counter() - began) * 1000)
    return {
        "routes": count,
        "hosts": "one" if one_host else "each its own",
        "cold s": round(cold, 2),
        "edit ms (median)": round(statistics.median(edits), 2),
        "edit ms (max)": round(max(edits), 2),
        "peak MB": round(peak_megabytes()),
    }


def _apart(count: int, *, one_host: bool) -> dict[str, Any]:
    code = (
        "import json; from tests.bench.bench_translate import measure;"
        f" print(json.dumps(measure({count}, one_host={one_host})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def _command_line(count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        worlds.write(Path(folder), count, 80)
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "xds_server", "translate", "-o", "json", folder],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return {"routes": count, "hosts": "xds-server translate", "cold s": round(time.perf_counter() - started, 2)}


def rows() -> list[dict[str, Any]]:
    """Translate and encode: from parsed objects to versioned bytes."""
    return [
        _apart(100, one_host=False),
        _apart(1_000, one_host=False),
        _apart(5_000, one_host=False),
        _apart(5_000, one_host=True),
        _command_line(5_000),
    ]
