"""Gateways that share proxies: whose a resource of an answer is, and what the proxies of one Gateway are to have.

In: streams that open, change and close. Out: answers about the catalog as it is now.
"""

from collections import Counter
from collections.abc import Mapping

from xds_server.model.meta import Key
from xds_server.pipeline.quarantine import Proxies, blamed
from xds_server.routing.audience import ForGateway
from xds_server.xds.catalog import Catalog
from xds_server.xds.events import Acknowledged, Rejected
from xds_server.xds.node import Node, of_gateways
from xds_server.xds.resource import Resource


class SharedProxies:
    """The open streams of gateways, by Gateway and build: which Gateways each serves."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._streams: dict[tuple[Key, str], Counter[tuple[Key, ...]]] = {}

    def came(self, node: Node) -> None:
        """A proxy connected, or serves these Gateways from now on."""
        for gateway in node.speaks_for:
            self._streams.setdefault((gateway, node.build), Counter())[node.serves] += 1

    def went(self, node: Node) -> list[tuple[Key, str]]:
        """It is gone, or serves others: the Gateways, and builds, that no proxy of that build serves any more."""
        left = []
        for gateway in node.speaks_for:
            together = self._streams[gateway, node.build]
            together[node.serves] -= 1
            if not together[node.serves]:
                del together[node.serves]
            if not together:
                del self._streams[gateway, node.build]
                left.append((gateway, node.build))
        return left

    def own(self, proxies: Proxies, node: Node, event: Acknowledged | Rejected) -> Mapping[str, Resource]:
        """The resources of an answer that are a Gateway's own, or the same as its own; all where there is no other."""
        resources = event.resources
        if node.speaks_for == (proxies.gateway,):
            return resources
        if isinstance(event, Rejected) and (named := blamed(event)):
            resources = {name: resources[name] for name in named}

        def is_own(name: str, resource: Resource) -> bool:
            if isinstance(resource.audience, ForGateway) and resource.audience[:2] == proxies.gateway:
                return True
            own = self.current(proxies, name)
            return own is not None and own.version == resource.version

        return {name: resource for name, resource in resources.items() if is_own(name, resource)}

    def current(self, proxies: Proxies, name: str) -> Resource | None:
        """What these proxies are to have of a name; None where all of them have another Gateway's in its place."""
        own = self._of(proxies, (proxies.gateway,), name)
        together = self._streams.get((proxies.gateway, proxies.build))
        if own is None or together is None or (proxies.gateway,) in together:
            return own
        seen = [self._of(proxies, gateways, name) for gateways in together]
        return own if any(one is not None and one.version == own.version for one in seen) else None

    def _of(self, proxies: Proxies, gateways: tuple[Key, ...], name: str) -> Resource | None:
        return self._catalog.view(of_gateways(gateways, proxies.build)).get(proxies.type, name)
