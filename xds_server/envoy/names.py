"""Every Envoy resource name, made here and nowhere else.

Names are functions of identity (port, hostname, Service), never of content or position: a renamed chain drains its
connections, and a renamed cluster is warmed anew.
"""

from xds_server.model.meta import Key
from xds_server.routing.backend import NO_CERTIFICATE, NOT_SECURED, Backend, EndpointsId
from xds_server.routing.listener import Listener, Scope
from xds_server.routing.rule import RuleId
from xds_server.routing.secret import SecretId

MISSING_CLUSTER = "none"
"""Named by the share of a backend that cannot be used; no cluster ever has this name, so Envoy answers 500, or closes
the connection.
"""


def listener(bind_port: int, transport: str = "tcp") -> str:
    """A listener by the port it binds, e.g. tcp-8080."""
    return f"{transport}-{bind_port}"


def filter_chain(hostname: str) -> str:
    """A filter chain by its server name, "*" for all."""
    return hostname


def connections(listener: Listener, hostname: str) -> str:
    """What takes a listener's connections for a server name: `tls-443/shop.example.com`, `tcp-5432/*`."""
    return f"{'tcp' if listener.protocol == 'tcp' else 'tls'}-{listener.port}/{hostname}"


def datagrams(port: int) -> str:
    """What takes the datagrams of a listener's port: `udp-53`."""
    return f"udp-{port}"


def rule(id_: RuleId) -> str:
    """What access logs show of a rule: kind, route, rule (its name where it has one) and match."""
    return f"{id_.kind}/{id_.route}/{id_.rule_name or id_.rule}/{id_.match}"


def route_configuration(scope: Scope) -> str:
    """`http-80` for all plain HTTP listeners of a port, `https-443/shop.example.com` for one HTTPS listener."""
    return f"https-{scope.port}/{scope.hostname}" if scope.hostname else f"http-{scope.port}"


def cluster(backend: Backend) -> str:
    """`shop/cart:8080/auto`: the endpoint assignment's name and the protocol spoken; then the policy that secures it
    and the certificate that it is shown, where there are any.
    """
    tls = "" if backend.tls == NOT_SECURED else f"/tls/{backend.tls}"
    shown = "" if backend.certificate == NO_CERTIFICATE else f"/with/{backend.certificate}"
    return f"{_port(backend.kind, backend.service, backend.port)}/{backend.protocol}{tls}{shown}"


def endpoints(id_: EndpointsId) -> str:
    """`shop/cart:8080`, shared by all clusters of that Service port; `shop/dns:53/udp` for a port of UDP."""
    return f"{_port(id_.kind, id_.service, id_.port)}{'/udp' if id_.transport == 'udp' else ''}"


def _port(kind: str, owner: Key, port: int) -> str:
    return f"{'' if kind == 'Service' else f'{kind.lower()}/'}{owner}:{port}"


def secret(id_: SecretId) -> str:
    """`secret/shop/cert` for a certificate; `ca/backendtlspolicy/shop/cart` and `ca/gateway/shop/gw/443` for the
    authorities that an object tells to trust.
    """
    if id_.is_certificate:
        return f"secret/{id_.key}"
    return f"ca/{id_.kind.lower()}/{id_.key}{f'/{id_.part}' if id_.part else ''}"


def gateway_node_cluster(gateway: Key) -> str:
    """node.cluster of a Gateway's proxies."""
    return f"{gateway.namespace}/{gateway.name}"
