"""Names of what is made for Gateways, and the labels, annotations and places by which its parts find each other.

A Deployment, Service and ServiceAccount have their Gateway's own name. A Gateway's name is a DNS subdomain of up to 253
characters, that of a Service a DNS label that begins with a letter: others are rewritten, with a hash at the end.
Source: Gateway API GEP-1762 for the labels of the group gateway.networking.k8s.io.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from xds_server.model.meta import Key

GATEWAY_LABEL: Final = "gateway.networking.k8s.io/gateway-name"
CLASS_LABEL: Final = "gateway.networking.k8s.io/gateway-class-name"
MANAGED_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGED: Final = "xds-server"
CONTROLLER_LABEL: Final = "xds-server.dev/controller"
"""Which of several installations made an object: the controllerName, as a label may spell it."""
HOME_ANNOTATION: Final = "xds-server.dev/server-namespace"
"""The namespace of the server that keeps an object: installations of one name are told apart by it."""
LAST_APPLIED_ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""The object as kubectl applied it last, in JSON."""
GATEWAY_ANNOTATION: Final = "xds-server.dev/gateway-name"
"""The Gateway's whole name, where it is too long for a label."""
CLASS_ANNOTATION: Final = "xds-server.dev/gateway-class-name"
"""The same of the class."""

TOKEN_AUDIENCE: Final = "xds-server.dev"  # noqa: S105 (a place)
TOKEN_FOLDER: Final = "/var/run/secrets/xds-server"  # noqa: S105 (a place)
TOKEN_FILE: Final = "token"  # noqa: S105 (a place)
TOKEN_SECONDS: Final = 3600
AUTHORITY_FOLDER: Final = "/etc/xds-server"
"""Where a proxy's pod has its token, and the ConfigMap of `authority_config_map`."""

CONTAINER: Final = "envoy"
ADMIN_PORT: Final = 15000
STATUS_PORT: Final = 15021
"""Of Envoy: its admin endpoint on loopback; /ready, /stats/prometheus and /drain for everybody."""

_SERVICE_NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LONGEST: Final = 63
_HASH: Final = 8


def child(gateway: str) -> str:
    """The name of everything that is made for the Gateway of that name."""
    if len(gateway) <= _LONGEST and _SERVICE_NAME.fullmatch(gateway):
        return gateway
    plain = re.sub(r"[^-a-z0-9]", "-", gateway.lower())
    return _hashed(plain if re.match(r"[a-z]", plain) else f"gw-{plain}", gateway)


def label(name: str) -> str:
    """The value of a label with the name of a Gateway or class: the name itself, unless it is too long for one."""
    return name if len(name) <= _LONGEST else _hashed(name, name)


def controller(controller_name: str) -> str:
    """The value of CONTROLLER_LABEL."""
    plain = re.sub(r"[^-A-Za-z0-9_.]", "_", controller_name)
    fits = len(plain) <= _LONGEST and plain[0].isalnum() and plain[-1].isalnum()
    return plain if fits else _hashed(plain.lstrip("-_."), controller_name)


def pod_of(node: str) -> Key:
    """The pod of a proxy's node.id, `gateway~POD.NAMESPACE`."""
    name, _, namespace = node.partition("~")[2].rpartition(".")
    return Key(namespace, name)


def home(metadata: Mapping[str, Any]) -> str:
    """The namespace of the server that keeps an object, by its metadata; empty where that does not say."""
    return str((metadata.get("annotations") or {}).get(HOME_ANNOTATION, ""))


def authority_config_map(installation: str) -> str:
    """The ConfigMap with the certificate of the authority of an installation: keys ca.crt, ca.yaml, token.yaml."""
    return f"{installation}-ca"


def selector(controller_name: str) -> str:
    """The label selector of everything that an installation made."""
    return f"{MANAGED_LABEL}={MANAGED},{CONTROLLER_LABEL}={controller(controller_name)}"


def _hashed(plain: str, name: str) -> str:
    tail = sha256(name.encode()).hexdigest()[:_HASH]
    return f"{plain[: _LONGEST - _HASH - 1].rstrip('-_.')}-{tail}"
