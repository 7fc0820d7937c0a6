"""Settings for all tests. Property tests look at new examples on every run of a developer, at the same ones in CI.

They have no deadline: how long a thing takes is measured by the benchmarks.
"""

import os

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "unhurried")
