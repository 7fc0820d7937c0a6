"""XDS07xx: backends and other objects that routes refer to."""

from xds_server.semantics.checks.check import ERROR, FIRST, Check, Told

CHECKS = (
    Check(
        "XDS0701",
        "A backend does not exist",
        ERROR,
        "There is no Service or XBackend of that name in that namespace (the route's, unless it names another). Its"
        " share of the requests is answered with 500.",
        "Give the backend, or correct name and namespace of the reference.",
        (Told("Route", "ResolvedRefs", "", "does not exist$"),),
    ),
    Check(
        "XDS0702",
        "A backend reference names no port",
        ERROR,
        "A reference to a Service needs the port to send to.",
        "Name one of the Service's ports.",
        (Told("Route", "ResolvedRefs", "", "names no port$"),),
        unshown=FIRST,
    ),
    Check(
        "XDS0703",
        "A backend has no such port",
        ERROR,
        "The number is that of a port of the Service (not its targetPort), and of the transport that the route"
        " carries: UDP for a UDPRoute, TCP for all others.",
        "Name one of the ports that the message lists.",
        (Told("Route", "ResolvedRefs", "", "has no (TCP|UDP) port"),),
    ),
    Check(
        "XDS0704",
        "A route may not refer to a backend of another namespace",
        ERROR,
        "Backends of another namespace can be used where a ReferenceGrant in that namespace allows it. Whether the"
        " backend exists is not told.",
        "Have a ReferenceGrant from the route's kind and namespace to the backend's kind made in its namespace.",
        (Told("Route", "ResolvedRefs", "RefNotPermitted"), Told("Route", "ResolvedRefs", "", "no ReferenceGrant in")),
    ),
    Check(
        "XDS0705",
        "A backend is of a kind that is not one",
        ERROR,
        "Backends are Services of the core API and XBackends. Objects of other kinds are not read here.",
        "Refer to a Service or an XBackend.",
        (Told("Route", "ResolvedRefs", "InvalidKind"), Told("Route", "ResolvedRefs", "", "is not a kind of backend")),
    ),
    Check(
        "XDS0706",
        "A backend is a Service of type ExternalName",
        ERROR,
        "Such a Service is a name somewhere else, which reaches around network policy (CVE-2021-25740).",
        "Make a Service without selector, and an EndpointSlice with the addresses.",
        (Told("Route", "ResolvedRefs", "", "is an ExternalName"),),
    ),
    Check(
        "XDS0707",
        "A backend speaks a protocol that cannot be spoken to it",
        ERROR,
        "appProtocol of the Service's port says what is spoken there, and that is not possible as things are.",
        "Correct appProtocol of the port, or give a BackendTLSPolicy for it if it speaks TLS.",
        (
            Told("Route", "ResolvedRefs", "UnsupportedProtocol"),
            Told("Route", "ResolvedRefs", "", ": port \\d+ speaks "),
        ),
    ),
    Check(
        "XDS0790",
        "A reference is not resolved",
        ERROR,
        "A reference of the route cannot be used, for a reason that has no code of its own.",
        "Do as the message says.",
        (Told("Route", "ResolvedRefs"),),
        unshown="Every reason that is given today has a code of its own.",
    ),
)
