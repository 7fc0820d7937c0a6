"""Settings for all tests. Property tests look at new examples on every run of a developer, at the same ones in CI.

They have no deadline: how long a thing takes is measured by the benchmarks.
"""

import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "unhurried")


@pytest.fixture(autouse=True)
def unconfigured_logs() -> Iterator[None]:
    """What a verb that runs in this process sets for its log lines ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
