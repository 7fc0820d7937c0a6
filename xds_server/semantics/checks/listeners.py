"""XDS04xx: listeners."""

from xds_server.semantics.checks.check import ERROR, FOLLOWS, LIVE, Check, Told

CHECKS = (
    Check(
        "XDS0401",
        "A listener's protocol is not supported",
        ERROR,
        "The protocol is none of those that the message lists.",
        "Name one of the supported protocols.",
        (Told("Listener", "Accepted", "UnsupportedProtocol"),),
        field="protocol",
    ),
    Check(
        "XDS0402",
        "Listeners ask for the same hostname",
        ERROR,
        "Listeners of one port must differ by hostname. Among the listeners of a Gateway none of those in conflict is"
        " served; one of a ListenerSet loses against those before it.",
        "Give them different hostnames or ports.",
        (Told("Listener", "", "HostnameConflict"),),
        field="hostname",
    ),
    Check(
        "XDS0403",
        "Listeners ask for the same port with different protocols",
        ERROR,
        "A port speaks one protocol; only HTTPS and TLS share one, since the server name tells them apart. Among the"
        " listeners of a Gateway none of those in conflict is served.",
        "Give one of them another port.",
        (Told("Listener", "", "ProtocolConflict"),),
        field="protocol",
    ),
    Check(
        "XDS0404",
        "A listener allows kinds of routes that it cannot carry",
        ERROR,
        "What a listener can carry follows from its protocol: HTTPRoute and GRPCRoute for HTTP and HTTPS, TLSRoute for"
        " TLS, TCPRoute for TCP, UDPRoute for UDP. Other kinds in allowedRoutes.kinds attach nothing.",
        "Name kinds that go with the protocol, or leave allowedRoutes.kinds out.",
        (Told("Listener", "ResolvedRefs", "InvalidRouteKinds"),),
        field="allowedRoutes.kinds",
    ),
    Check(
        "XDS0405",
        "A listener's port cannot be bound",
        ERROR,
        "Another process or another Gateway holds the port on this machine.",
        "End what holds the port, or choose another one.",
        (Told("Listener", "", "PortUnavailable"), Told("Listener", "Programmed", "", "^The port cannot be bound now")),
        field="port",
        unshown=LIVE,
    ),
    Check(
        "XDS0406",
        "Envoy rejected a listener",
        ERROR,
        "Envoy refused what the listener means; the message has its words. Other listeners are not harmed.",
        "Change what Envoy's words are about. Since checks should have caught it, tell the maintainers.",
        (Told("Listener", "Programmed", "", "^Envoy rejected it"),),
        unshown=LIVE,
    ),
    Check(
        "XDS0407",
        "A listener is not programmed",
        ERROR,
        "It is not valid, or its Gateway is not accepted.",
        "Mend what else is told of the listener and its Gateway.",
        (Told("Listener", "Programmed"),),
        unshown=FOLLOWS,
    ),
    Check(
        "XDS0490",
        "A listener has a fault",
        ERROR,
        "A condition of the listener says that something is wrong, for a reason that has no code of its own.",
        "Do as the message says.",
        (Told("Listener"),),
        unshown="Every reason that is given today has a code of its own.",
    ),
)
