"""The conformance suite as a process: built from its Go module, run against the cluster of KUBECONFIG."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e.conformance.report import PROFILES
from e2e.go import go, module_folder

FOLDER = Path(__file__).parent
MODULE = "sigs.k8s.io/gateway-api/conformance"
BUILD_SECONDS = 1800.0
RUN_SECONDS = 900.0
_ENDED = re.compile(
    r"\s*--- (?:(PASS|FAIL|SKIP): TestConformance/([^\s/]+)|(SKIP): TestConformance/(\S+)) \(([0-9.]+)s\)"
)
_MARK = "\x16"
"""Precedes what the test binary says itself, for programs that read it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a test ended: PASS, FAIL or SKIP, after so many seconds; or that a part of one was skipped, TEST/PART."""

    name: str
    result: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended: the process's exit code, and each test's end and each part that was skipped, in order."""

    code: int
    verdicts: tuple[Verdict, ...]

    def named(self, result: str) -> set[str]:
        """The tests that ended so, and the parts of tests."""
        return {one.name for one in self.verdicts if one.result == result}


def verdict(line: str) -> Verdict | None:
    """What a line of the output tells about one of the suite's tests; None for all other lines, those of a test's
    parts among them: with a part that fails its test does, but not with one that is skipped.
    """
    found = _ENDED.fullmatch(line.rstrip("\n").removeprefix(_MARK))
    if found is None:
        return None
    result, name, skip, part, seconds = found.groups()
    return Verdict(name or part, result or skip, float(seconds))


def build(into: Path) -> Path:
    """The suite as a binary in a folder."""
    binary = into.resolve() / "conformance.test"
    go("test", "-c", "-o", str(binary), ".", folder=FOLDER, seconds=BUILD_SECONDS)
    return binary


def tests(binary: Path, into: Path) -> Mapping[str, bool]:
    """The suite's tests by name: true for those of gateways, false for those of meshes."""
    listing = into.resolve() / "tests.json"
    command = [str(binary), "-test.run=^TestList$"]
    subprocess.run(command, env={**os.environ, "LIST": str(listing)}, check=True, capture_output=True, timeout=300)
    found: Mapping[str, bool] = json.loads(listing.read_text())
    return found


def run(binary: Path, log: Path, flags: Mapping[str, str], told: Callable[[Verdict], None]) -> Run:
    """Runs it; all output goes to a log, each test's end is told when it comes. No longer than RUN_SECONDS."""
    words = [f"-{name}={value}" for name, value in flags.items() if value]
    command = [
        str(binary),
        "-test.v=test2json",
        "-test.run=^TestConformance$",
        f"-test.timeout={RUN_SECONDS:.0f}s",
        f"-conformance-profiles={','.join(PROFILES)}",
        *words,
    ]
    verdicts: list[Verdict] = []
    with (
        log.open("w") as kept,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        late = threading.Timer(RUN_SECONDS + 30, process.kill)
        late.start()
        try:
            for line in process.stdout or ():
                kept.write(line.replace(_MARK, ""))
                if one := verdict(line):
                    verdicts.append(one)
                    told(one)
        finally:
            late.cancel()
    return Run(process.returncode, tuple(verdicts))


if __name__ == "__main__":
    sys.stdout.write(f"{module_folder(MODULE, FOLDER)}\n")
