"""Findings as SARIF 2.1.0, which tools for code review show beside the lines.

Source: OASIS SARIF 2.1.0: sarifLog, run, reportingDescriptor, result, physicalLocation, logicalLocation.
"""

import os
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote

from xds_server import __version__
from xds_server.cli.findings import Finding
from xds_server.semantics.checks import pages
from xds_server.semantics.checks.catalog import CHECKS
from xds_server.semantics.checks.check import Check, Severity
from xds_server.shell.scan import STDIN
from xds_server.shell.survey import Place

_NO_FILE = "stdin"
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(findings: Sequence[Finding], docs_url: str = "") -> dict[str, Any]:
    """One run with all findings; rules link to their pages below `docs_url`, where that is given."""
    used = [check for code, check in CHECKS.items() if any(one.check.code == code for one in findings)]
    places = {check.code: index for index, check in enumerate(used)}
    driver = {"name": "xds-server", "version": __version__, "rules": [_rule(check, docs_url) for check in used]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, places[one.check.code]) for one in findings],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(check: Check, docs_url: str) -> dict[str, Any]:
    rule = {
        "id": check.code,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": check.meaning},
        "help": {"text": check.hint, "markdown": pages.page(check)},
        "defaultConfiguration": {"level": _LEVELS[check.severity]},
    }
    if docs_url:
        rule["helpUri"] = f"{docs_url.rstrip('/')}/{pages.path(check)}"
    return rule


def _result(one: Finding, rule: int) -> dict[str, Any]:
    subject = " ".join(part for part in (one.object, one.field) if part)
    location = {"physicalLocation": _physical(one.place), **_logical(subject)}
    return {
        "ruleId": one.check.code,
        "ruleIndex": rule,
        "level": _LEVELS[one.check.severity],
        "message": {"text": f"{subject}: {one.message}" if subject else one.message},
        "locations": [location],
        "partialFingerprints": {"finding/v1": _digest((one.check.code, one.object, one.field, one.message))},
    }


def _physical(place: Place) -> dict[str, Any]:
    """Never empty: code scanning of GitHub refuses all results if one has no file, or no line."""
    known = place.file and place.file != STDIN
    uri = _uri(Path(place.file)) if known else _NO_FILE
    return {"artifactLocation": {"uri": uri}, "region": {"startLine": place.line or 1}}


def _uri(file: Path) -> str:
    """Relative to the working directory where it is below that, as tools for code review want it."""
    here = Path.cwd()
    absolute = Path(os.path.normpath(here / file))
    return quote(absolute.relative_to(here).as_posix()) if absolute.is_relative_to(here) else absolute.as_uri()


def _logical(subject: str) -> dict[str, Any]:
    return {"logicalLocations": [{"fullyQualifiedName": subject}]} if subject else {}


def _digest(parts: Iterable[str]) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
