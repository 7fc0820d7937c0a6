"""What `diff` prints of what is made for Gateways; the rest is in test_diff.py."""

import re

import pytest

from xds_server.cli.diff_table import print_changes, summary
from xds_server.pipeline.difference import GatewayChange
from xds_server.pipeline.made_difference import MadeChange
from xds_server.wire.changed import Change

DEPLOYMENT = MadeChange("Deployment", "gw", Change.CHANGED, ("spec.template.metadata.labels.team",), replaces=True)
SERVICE = MadeChange("Service", "gw", Change.CHANGED, ("spec.ports",))


def changed(gateway: str, *made: MadeChange) -> GatewayChange:
    return GatewayChange(gateway, Change.CHANGED, (), (), made)


def test_what_replaces_envoys_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    gone = MadeChange("Deployment", "gw", Change.REMOVED, replaces=True)
    print_changes([changed("default/gw", SERVICE, DEPLOYMENT), changed("default/other", gone)], [])
    rows = [re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines()[1:] if line]
    assert rows == [
        ["default/gw", "changed", "Service gw", "spec.ports"],
        ["default/gw", "changed", "Deployment gw", "spec.template.metadata.labels.team", "its Envoys are replaced"],
        ["default/other", "removed", "Deployment gw", "its Envoys end"],
    ]


def test_the_summary_counts_gateways_whose_envoys_are_replaced() -> None:
    one, other = changed("default/gw", SERVICE, DEPLOYMENT), changed("default/other", SERVICE)
    assert summary([other], []) == "1 Gateway changes: 1 Service; nothing drains"
    assert summary([one, other], []) == (
        "2 Gateways change: 2 Services, 1 Deployment; the Envoys of 1 Gateway are replaced; nothing drains"
    )
