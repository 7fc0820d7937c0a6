"""Writes what follows from code or from other files of deploy: the rights of the server, for kustomize and for Helm,
install.yaml, and Envoys for Gateways that name a Service.

`make deploy-manifests`. A test compares what is there with what this would write.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from deploy import envoys
from deploy.rights import at_home, cluster_wide, in_namespaces, rules

ROOT = Path(__file__).parent
BASE = ROOT / "kustomize/base"
NAME = "xds-server"
NAMESPACE = "xds-system"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": NAME}
IN_CHART = '{{ include "xds-server.fullname" . }}'
MADE = "# Made by `make deploy-manifests`"


class _Dumper(yaml.SafeDumper):
    """Never writes an alias; a list of words on one line, a text of several lines as it is."""

    def ignore_aliases(self, _: Any) -> bool:
        return True

    def represent_list(self, data: list[Any]) -> yaml.Node:
        plain = all(isinstance(one, str) and "\n" not in one for one in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)

    def represent_text(self, data: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(list, _Dumper.represent_list)
_Dumper.add_representer(str, _Dumper.represent_text)


def files() -> dict[Path, str]:
    """Every file that is made, and its content."""
    return {
        BASE / "rbac.yaml": f"{MADE} from xds_server/model/kinds.py and deploy/rights.py.\n{_documents(rbac())}",
        ROOT / "helm/xds-server/rights.yaml": chart_rights(),
        ROOT / "install.yaml": install(),
        ROOT / "manual/envoy.yaml": f"{MADE} from deploy/envoys.py.\n{_documents(envoys.objects(NAMESPACE, _dump))}",
    }


def rbac() -> list[dict[str, Any]]:
    """The roles and who has them. `xds-server-namespaces` is bound for all namespaces, or in each that is watched."""
    spread = f"{NAME}-namespaces"
    return [
        _object("ClusterRole", NAME, rules=rules(cluster_wide())),
        _object("ClusterRole", spread, rules=rules(in_namespaces(NAME))),
        _object("Role", NAME, NAMESPACE, rules=rules(at_home(NAME))),
        _bound("ClusterRoleBinding", NAME, "ClusterRole"),
        _bound("ClusterRoleBinding", spread, "ClusterRole"),
        _bound("RoleBinding", NAME, "Role", NAMESPACE),
    ]


def chart_rights() -> str:
    """The same rules for the chart, which knows the installation's name."""
    made = {
        "clusterWide": rules(cluster_wide()),
        "inNamespaces": rules(in_namespaces(IN_CHART)),
        "atHome": rules(at_home(IN_CHART)),
    }
    return f"{MADE} from xds_server/model/kinds.py and deploy/rights.py; templates/rbac.yaml reads it.\n{_dump(made)}"


def install() -> str:
    """All objects of the base as one file, in its order."""
    about = f"{MADE} from deploy/kustomize/base, which is the place to change things.\n"
    listed = yaml.safe_load((BASE / "kustomization.yaml").read_text())["resources"]
    rights = yaml.safe_load_all(_documents(rbac()))
    read = ([*rights] if file == "rbac.yaml" else [*yaml.safe_load_all((BASE / file).read_text())] for file in listed)
    return about + _documents(one for documents in read for one in documents)


def _object(kind: str, name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": LABELS}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, **rest}


def _bound(kind: str, name: str, role: str, namespace: str = "") -> dict[str, Any]:
    return _object(
        kind,
        name,
        namespace,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
        subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    )


def _documents(objects: Iterable[dict[str, Any]]) -> str:
    return "---\n".join(_dump(one) for one in objects)


def _dump(value: Any) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=120)


def main() -> None:
    """Writes the files."""
    for path, content in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    main()
