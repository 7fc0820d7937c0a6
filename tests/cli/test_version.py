import json
from importlib.metadata import version

import yaml

from tests.cli.command import invoke


def test_versions_of_what_is_installed() -> None:
    lines = invoke("version").out.splitlines()
    assert lines[0] == f"xds-server {version('xds-server')}"
    assert f"grpcio {version('grpcio')}" in lines


def test_as_data() -> None:
    found = json.loads(invoke("version", "-o", "json").out)
    assert found == yaml.safe_load(invoke("version", "-o", "yaml").out)
    assert (found["xds-server"], found["grpcio"]) == (version("xds-server"), version("grpcio"))
