"""Settings for all tests. Property tests look at new examples on every run of a developer, at the same ones in CI."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, print_blob=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
