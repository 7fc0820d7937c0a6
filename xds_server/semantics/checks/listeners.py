"""XDS04xx: listeners."""

from xds_server.semantics.checks.check import ERROR, FIRST, FOLLOWS, LIVE, Check, Told

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
        (
            Told("Listener", "ResolvedRefs", "InvalidRouteKinds"),
            Told("Listener", "ResolvedRefs", "", r"^allowedRoutes\.kinds: "),
        ),
        field="allowedRoutes.kinds",
    ),
    Check(
        "XDS0405",
        "A listener's port cannot be bound",
        ERROR,
        "Another process or another Gateway holds the port on this machine. In a cluster: the Service that the Gateway"
        " names in its addresses does not lead to the port, or a Gateway on the same proxies goes before; the message"
        " says which. Other listeners are served.",
        "End what holds the port, add the port to the Service, or choose another one.",
        (
            Told("Listener", "", "PortUnavailable"),
            Told("Listener", "Programmed", "", "^The port (cannot be bound now|is not bound)"),
        ),
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
        "XDS0408",
        "A listener's filter is of a type that is not supported",
        ERROR,
        "Before a route is chosen requests can meet filters of type ExternalAuth. A listener is never served without"
        " one of its filters, so it is not served; its hosts stay its own.",
        "Take the filter out of filters.requests, or put it on the rules of routes.",
        (
            Told("Listener", "Accepted", "UnsupportedValue", r"filter \S+ is not supported"),
            Told("Listener", "Accepted", "", r"^filters\.requests\[\d+\]: filter \S+ is not supported"),
            Told("Listener", "ResolvedRefs", "InvalidListenerFilterRef", "is not a kind of filter"),
        ),
        field="filters.requests",
    ),
    Check(
        "XDS0409",
        "A listener's filter cannot be read",
        ERROR,
        "A value of the filter has no meaning, or the listener's protocol carries no requests. The listener is not"
        " served; its hosts stay its own.",
        "Correct the value that the message names.",
        (
            Told("Listener", "Accepted", "InvalidListenerFilter"),
            Told("Listener", "Accepted", "", r"^filters\.requests"),
        ),
        field="filters.requests",
    ),
    Check(
        "XDS0411",
        "A listener's filter may not ask a service of another namespace",
        ERROR,
        "Services of another namespace can be used where a ReferenceGrant in that namespace allows it, to the object in"
        " which the listener is written. Whether the Service exists is not told.",
        "Have a ReferenceGrant from the kind (Gateway or ListenerSet) and namespace of that object to kind Service"
        " made in the Service's namespace.",
        (Told("Listener", "ResolvedRefs", "", r"^filters\.requests\[\d+\]: .*no ReferenceGrant in"),),
        field="filters.requests",
    ),
    Check(
        "XDS0410",
        "The service that a listener's filter asks cannot be used",
        ERROR,
        "The reference names nothing that could be asked. The listener is not served rather than without its filter;"
        " its hosts stay its own.",
        "Give the Service and its port, or correct the reference.",
        (
            Told("Listener", "ResolvedRefs", "InvalidListenerFilterRef"),
            Told("Listener", "ResolvedRefs", "", r"^filters\.requests"),
        ),
        field="filters.requests",
    ),
    Check(
        "XDS0412",
        "A listener's port is none",
        ERROR,
        "Ports are from 1 to 65535. Other listeners are served.",
        "Name such a port.",
        (Told("Listener", "Accepted", "", "^port: |^must be 1 to 65535"),),
        field="port",
        unshown=FIRST,
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
