"""Reading files: a folder of N documents cold, looked at again, and one of N edited under the watcher's eyes."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.bench import worlds
from xds_server.model import validate
from xds_server.shell.files import FileSource
from xds_server.shell.fileset import FileSet
from xds_server.shell.scan import Roots

EDITS = 25


def _write(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"route-{index}.yaml" for index in range(count)]
    for index, path in enumerate(paths):
        path.write_text(yaml.safe_dump(worlds.route(index)))
    return paths


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _load_all(paths: list[Path]) -> None:
    for path in paths:
        yaml.load(path.read_text(), Loader=yaml.CSafeLoader)


def _edit(path: Path, index: int, edit: int) -> None:
    path.write_text(yaml.safe_dump(worlds.route(index, f"edit-{edit}")))


async def _watched(paths: list[Path]) -> list[float]:
    """Milliseconds from before a file is written to the batch that says so."""
    batches = FileSource([paths[0].parent]).batches()
    await anext(batches)
    taken = []
    for edit in range(EDITS):
        index = edit * 7 % len(paths)
        text = yaml.safe_dump(worlds.route(index, f"watched-{edit}"))
        began = time.perf_counter()
        paths[index].write_text(text)
        batch = await anext(batches)
        taken.append((time.perf_counter() - began) * 1000)
        assert len(batch.upserts) == 1
    await batches.aclose()
    return taken


def measure(count: int) -> dict[str, Any]:
    """One row."""
    with tempfile.TemporaryDirectory() as folder:
        paths = _write(Path(folder), count)
        floor = _seconds(lambda: _load_all(paths))
        files = FileSet(Roots([Path(folder)]), validate.faults)
        cold = _seconds(files.rescan)
        again = _seconds(files.rescan)
        edits = []
        for edit in range(EDITS):
            index = edit * 7 % count
            _edit(paths[index], index, edit)
            edits.append(_seconds(lambda changed=str(paths[index]): files.changed([changed])) * 1000)
        watched = asyncio.run(_watched(paths))
    return {
        "files": count,
        "cold s": round(cold, 2),
        "floor s (CSafeLoader alone)": round(floor, 2),
        "look again ms": round(again * 1000, 1),
        "edit ms (median)": round(statistics.median(edits), 2),
        "written to batch ms (median)": round(statistics.median(watched), 1),
        "written to batch ms (max)": round(max(watched), 1),
    }


def rows() -> list[dict[str, Any]]:
    """Files to objects: read, parsed, checked; beside what PyYAML's C loader takes to load the same files."""
    return [measure(count) for count in (10, 1000, 5000)]
