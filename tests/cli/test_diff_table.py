"""What `diff` prints in a pipe, and of what is made for Gateways; the rest is in test_diff.py."""

from pathlib import Path

import pytest

from tests.cli.command import invoke
from tests.cli.test_diff import AFTER, BEFORE
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
    assert [line for line in capsys.readouterr().out.splitlines() if line] == [
        "default/gw changed Service gw spec.ports",
        "default/gw changed Deployment gw spec.template.metadata.labels.team: its Envoys are replaced",
        "default/other removed Deployment gw: its Envoys end",
    ]


def test_the_summary_counts_gateways_whose_envoys_are_replaced() -> None:
    one, other = changed("default/gw", SERVICE, DEPLOYMENT), changed("default/other", SERVICE)
    assert summary([other], []) == "1 Gateway changes: 1 Service; nothing drains"
    assert summary([one, other], []) == (
        "2 Gateways change: 2 Services, 1 Deployment; the Envoys of 1 Gateway are replaced; nothing drains"
    )


def test_a_pipe_gets_a_line_for_each_change(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(BEFORE)
    new.write_text(AFTER)
    changes, statuses, _ = [part.splitlines() for part in invoke("diff", old, new).out.split("\n\n")]
    assert len(changes) == 10, "the rows of the table, without its head"
    assert changes[1:5] == [
        "default/gw changed listener tcp-443 filter chain shop.e.com: drains",
        "default/gw changed secret secret/default/c",
        "default/gw added secret secret/default/d",
        "default/gw added routes http-80 virtual host b.e.com: its requests were those of *.e.com",
    ]
    (status,) = statuses
    assert status == (
        "HTTPRoute default/b parent default/gw ResolvedRefs bad BackendNotFound:"
        " rules[0].backendRefs[0]: Service default/s2 does not exist"
    )
