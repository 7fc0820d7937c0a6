"""The server's rights follow from the kinds that it reads, and go no further."""

from collections.abc import Iterator
from typing import Any

import pytest

from deploy.rights import PROVISIONED, VERBS, at_home, cluster_wide, in_namespaces, rules
from xds_server.model.kinds import KINDS
from xds_server.shell.kube.cleanup import CLEANED
from xds_server.shell.kube.live import WITH_STATUS

CLUSTER_WIDE, IN_NAMESPACES, AT_HOME = rules(cluster_wide()), rules(in_namespaces("edge")), rules(at_home("edge"))
EVERYWHERE = (*CLUSTER_WIDE, *IN_NAMESPACES)
ALL = (*EVERYWHERE, *AT_HOME)


def verbs(found: Any, group: str, resource: str, name: str = "") -> set[str]:
    """What the rules allow on an object of that name, or on any."""
    return {
        verb
        for rule in found
        if group in rule["apiGroups"] and resource in rule["resources"]
        if name in rule.get("resourceNames", [name])
        for verb in rule["verbs"]
    }


def resources(found: Any) -> Iterator[tuple[str, str]]:
    return ((group, resource) for rule in found for group in rule["apiGroups"] for resource in rule["resources"])


@pytest.mark.parametrize("row", KINDS, ids=lambda row: row.kind)
def test_every_kind_is_read_where_it_lives(row: Any) -> None:
    here, there = (IN_NAMESPACES, CLUSTER_WIDE) if row.namespaced else (CLUSTER_WIDE, IN_NAMESPACES)
    assert {"get", "list", "watch"} <= verbs(here, row.group, row.plural)
    assert not verbs(there, row.group, row.plural)


@pytest.mark.parametrize("row", KINDS, ids=lambda row: row.kind)
def test_statuses_are_written_of_kinds_that_have_ours(row: Any) -> None:
    expected = {"update"} if row.kind in WITH_STATUS else set()
    assert verbs(EVERYWHERE, row.group, f"{row.plural}/status") == expected


def test_kinds_of_the_gateway_api_are_not_written() -> None:
    groups = {row.group for row in KINDS if row.channel != "core"}
    written = {
        (group, resource): given - {"get", "list", "watch"}
        for group, resource in resources(ALL)
        if group in groups and "/" not in resource
        for given in [verbs(ALL, group, resource)]
    }
    assert written
    assert set(map(frozenset, written.values())) == {frozenset()}


def test_there_is_no_wildcard_and_no_verb_that_gives_rights_away() -> None:
    for rule in ALL:
        assert set(rule["verbs"]) <= set(VERBS)
        assert "*" not in (*rule["apiGroups"], *rule["resources"])
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"]


def test_secrets_are_read_alone_but_for_the_servers_own() -> None:
    assert verbs(EVERYWHERE, "", "secrets", "shop") == {"get", "list", "watch"}
    assert verbs(AT_HOME, "", "secrets", "shop") == {"create"}
    assert {"update", "delete"} <= verbs(AT_HOME, "", "secrets", "edge-authority")


def test_config_maps_are_written_by_name_in_other_namespaces() -> None:
    assert verbs(EVERYWHERE, "", "configmaps", "shop") == {"get", "list", "watch"}
    assert verbs(EVERYWHERE, "", "configmaps", "edge-ca") >= {"create", "patch", "delete"}


def test_what_is_made_can_be_cleaned_up() -> None:
    for made in CLEANED:
        group = made.api_version.rpartition("/")[0]
        assert "delete" in verbs(IN_NAMESPACES, group, made.plural, "edge-ca"), made
        assert "list" in verbs(IN_NAMESPACES, group, made.plural), made


def test_what_is_made_for_gateways_is_all_that_is_made_of_its_kinds() -> None:
    assert {(made.api_version.rpartition("/")[0], made.plural) for made in CLEANED} == {
        *PROVISIONED,
        ("", "configmaps"),
    }
