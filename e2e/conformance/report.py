"""The report of a run of the conformance suite, and what of it falls short of everything."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

PROFILES = ("GATEWAY-GRPC", "GATEWAY-HTTP", "GATEWAY-TCP", "GATEWAY-TLS", "GATEWAY-UDP")
REPORT = Path(__file__).with_name("report.yaml")
"""Of the last whole run, in the format that the Gateway API project collects."""

Report = Mapping[str, Any]


def read(path: Path = REPORT) -> Report:
    """The report in a file."""
    found: Report = yaml.safe_load(path.read_text())
    return found


def features(report: Report) -> set[str]:
    """All extended features that the profiles were tested with."""
    return {name for one in report["profiles"] for name in one.get("extended", {}).get("supportedFeatures", ())}


def shortcomings(report: Report) -> list[str]:
    """A line for whatever is not success: a profile that is missing, its tests that fail or were skipped, its features
    that are not supported; provisional tests that fail.
    """
    profiles = {one["name"]: one for one in report["profiles"]}
    found = [f"profile {name} is missing" for name in PROFILES if name not in profiles]
    for name, profile in sorted(profiles.items()):
        for part in ("core", "extended"):
            found += _of(f"{name} {part}", profile.get(part, {"result": "missing"}))
    return found + [f"provisional test {name} failed" for name in report.get("failedProvisionalTests", ())]


def _of(where: str, part: Mapping[str, Any]) -> list[str]:
    result, statistics = part["result"], part.get("statistics", {})
    told = [] if result == "success" else [f"{where}: {result}"]
    for word in ("failedTests", "skippedTests", "unsupportedFeatures"):
        told += [f"{where}: {word} {name}" for name in part.get(word, ())]
    told += [f"{where}: {count} {word.lower()}" for word in ("Failed", "Skipped") if (count := statistics.get(word))]
    return told


def table(report: Report) -> str:
    """Markdown: a line for each profile."""
    lines = ["| profile | core | extended | extended features |", "|---|---|---|---|"]
    for profile in sorted(report["profiles"], key=lambda one: str(one["name"])):
        names: Sequence[str] = profile["extended"].get("supportedFeatures", ())
        cells = (_verdict(profile[part]) for part in ("core", "extended"))
        lines.append(f"| {profile['name']} | {' | '.join(cells)} | {_all_of(profile, names)} |")
    return "\n".join(lines)


def _verdict(part: Mapping[str, Any]) -> str:
    numbers = part["statistics"]
    return f"{part['result']}, {numbers['Passed']} of {sum(numbers.values())} tests"


def _all_of(profile: Mapping[str, Any], names: Iterable[str]) -> str:
    supported = len(list(names))
    return f"{supported} of {supported + len(profile['extended'].get('unsupportedFeatures', ()))}"
