"""Objects that tests apply: a backend, a Gateway, a route to it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from e2e.installation import Installation
from e2e.kubectl import condition, eventually, ready
from e2e.traffic import Target

CLASS = "xds-server"
GATEWAYS = "gateway.networking.k8s.io/v1"
GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name"
HOST = "site.example.com"
BACKEND_PORT = 8000


def backend(name: str, image: str, replicas: int = 1) -> list[dict[str, Any]]:
    """An echo server as Deployment and Service. A pod that ends goes on answering for a while, as a pod behind any
    proxy has to: it takes a moment until everybody knows that it ends.
    """
    labels = {"app": name}
    container = {
        "name": "echo",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["echo", "--address=0.0.0.0:8000", f"--name={name}", "--log-format=json"],
        "ports": [{"containerPort": BACKEND_PORT}],
        "readinessProbe": {"tcpSocket": {"port": BACKEND_PORT}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": BACKEND_PORT}]},
        },
    ]


def gateway(name: str, *listeners: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A Gateway; one HTTP listener on port 80 unless others are given."""
    default = {"name": "http", "port": 80, "protocol": "HTTP"}
    return {
        "apiVersion": GATEWAYS,
        "kind": "Gateway",
        "metadata": {"name": name},
        "spec": {"gatewayClassName": CLASS, "listeners": list(listeners) or [default], **spec},
    }


def route(name: str, parent: str, *, host: str = HOST, path: str = "/", **rule: Any) -> dict[str, Any]:
    """An HTTPRoute with one rule, to the backend `echo` unless the rule says otherwise."""
    matched = {"matches": [{"path": {"type": "PathPrefix", "value": path}}]}
    to = {"backendRefs": [{"name": "echo", "port": BACKEND_PORT}]}
    return {
        "apiVersion": GATEWAYS,
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": parent}], "hostnames": [host], "rules": [matched | to | rule]},
    }


def header(name: str, value: str) -> dict[str, Any]:
    """A filter that sets a header of the answer."""
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": name, "value": value}]}}


def placed(namespace: str, objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Copies of objects, in a namespace."""
    return [{**one, "metadata": {"namespace": namespace, **one["metadata"]}} for one in objects]


@dataclass(frozen=True, slots=True)
class Site:
    """A Gateway that serves a route to a backend, in a namespace of its own."""

    installed: Installation
    namespace: str
    gateway: str
    address: str

    @property
    def key(self) -> str:
        """NAMESPACE/NAME of the Gateway."""
        return f"{self.namespace}/{self.gateway}"

    def target(self, **changes: Any) -> Target:
        """What its traffic asks for."""
        return replace(Target(self.address, HOST), **changes)

    def apply(self, *objects: dict[str, Any], seconds: float = 60.0) -> None:
        """Applies objects in its namespace."""
        self.installed.kubectl.apply(*placed(self.namespace, objects), seconds=seconds)

    def envoys(self) -> list[dict[str, Any]]:
        """Its Envoys' pods, whatever their state."""
        return self.installed.kubectl.list("pods", self.namespace, f"{GATEWAY_LABEL}={self.gateway}")

    def ready_envoys(self) -> list[str]:
        """Names of those that serve."""
        return [pod["metadata"]["name"] for pod in self.envoys() if ready(pod)]

    def has_backends(self, count: int) -> bool:
        """Whether so many pods are behind the Service `echo`, as all who read its EndpointSlices see it."""
        slices = self.installed.kubectl.list("endpointslices", self.namespace, "kubernetes.io/service-name=echo")
        found = [one for slice_ in slices for one in slice_["endpoints"] or () if one["conditions"].get("ready")]
        assert len(found) == count, f"{len(found)} endpoints are ready, not {count}"
        return True

    def told(self, route: str, type_: str) -> dict[str, Any]:
        """A condition of an HTTPRoute that has one parent, {} where there is none yet."""
        found = self.installed.kubectl.get("httproute", route, self.namespace)
        parents = found.get("status", {}).get("parents", [])
        return condition({"status": parents[0]}, type_) if parents else {}

    def has_envoys(self, count: int, seconds: float = 90.0) -> list[str]:
        """Waits until exactly so many Envoys are ready, and connected."""

        def settled() -> list[str]:
            found = self.ready_envoys()
            assert len(found) == count, f"{found} are ready, not {count}"
            connected = self.installed.connected(self.key)
            assert connected == count, f"{connected} are connected, not {count}"
            return found

        return eventually(settled, seconds)


def overlay(**deployment_spec: Any) -> dict[str, Any]:
    """A ConfigMap `overlay` with changes of a Gateway's Deployment."""
    import yaml

    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "overlay"},
        "data": {"deployment": yaml.safe_dump({"spec": deployment_spec})},
    }


PARAMETERS = {"parametersRef": {"group": "", "kind": "ConfigMap", "name": "overlay"}}
"""`infrastructure` of a Gateway with the ConfigMap of `overlay`."""
