"""What the server may do in a cluster, as rules of RBAC that follow from the table of kinds.

No wildcard, nothing on RBAC itself, no write to a Secret but the server's own. Server-side apply is a patch, and a
create where the object is not there yet; the API server knows the name in both, so what has one is granted by it. A
create of its own has no name that could be granted.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from xds_server.model.kinds import KINDS
from xds_server.shell.kube.live import WITH_STATUS
from xds_server.shell.kube.provisioned import MADE

VERBS: Final = ("get", "list", "watch", "create", "update", "patch", "delete")
READ: Final = ("get", "list", "watch")
WRITE: Final = ("create", "patch", "delete")

PROVISIONED: Final = tuple((made.api_version.rpartition("/")[0], made.plural) for made in MADE.values())
"""What is made for Gateways: API group and resource."""


class Grant(NamedTuple):
    """Verbs on one resource; `name` is of an object, empty for all of them."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    name: str = ""


def cluster_wide() -> list[Grant]:
    """What has no namespace: classes, trust bundles, namespaces; who a token belongs to; which CRDs there are."""
    return [
        *_of_kinds(namespaced=False),
        Grant("apiextensions.k8s.io", "customresourcedefinitions", READ),
        Grant("authentication.k8s.io", "tokenreviews", ("create",)),
    ]


def in_namespaces(name: str) -> list[Grant]:
    """What is granted in every namespace that is watched, all of them or those that are listed."""
    return [
        *_of_kinds(namespaced=True),
        *(Grant(group, resource, (*READ, *WRITE)) for group, resource in PROVISIONED),
        Grant("", "configmaps", WRITE, f"{name}-ca"),
        Grant("events.k8s.io", "events", ("create", "patch")),
    ]


def at_home(name: str) -> list[Grant]:
    """What is granted in the server's own namespace: who leads, the authority's key, what replicas tell each other."""
    return [
        Grant("coordination.k8s.io", "leases", ("create",)),
        Grant("coordination.k8s.io", "leases", ("get", "update", "delete"), name),
        Grant("", "secrets", ("create",)),
        Grant("", "secrets", (*READ, "update", "delete"), f"{name}-authority"),
        Grant("", "configmaps", (*READ, *WRITE, "update")),
        # what `xds-server cleanup` needs to end the servers
        Grant("apps", "deployments", ("get", "patch"), name),
        Grant("", "pods", ("get", "list")),
    ]


def rules(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """The grants as PolicyRules: one for each group and set of verbs."""
    verbs: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for grant in grants:
        verbs[grant.group, grant.resource, grant.name] |= set(grant.verbs)
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, resource, name), given in verbs.items():
        alike[group, name, tuple(verb for verb in VERBS if verb in given)].append(resource)
    return [
        {
            "apiGroups": [group],
            "resources": resources,
            **({"resourceNames": [name]} if name else {}),
            "verbs": list(given),
        }
        for (group, name, given), resources in alike.items()
    ]


def _of_kinds(*, namespaced: bool) -> list[Grant]:
    rows = [row for row in KINDS if row.namespaced is namespaced]
    read = [Grant(row.group, row.plural, READ) for row in rows]
    return read + [Grant(row.group, f"{row.plural}/status", ("update",)) for row in rows if row.kind in WITH_STATUS]
