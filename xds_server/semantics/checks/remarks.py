"""XDS10xx: what is found by looking; no condition tells it."""

from xds_server.semantics.checks.check import ERROR, INFO, WARNING, Check

CHECKS = (
    Check(
        "XDS1001",
        "A field is not known",
        WARNING,
        "The kind has no such field. The API server drops it without a word, and whoever wrote it meant something.",
        "Spell the field as the API does, or remove it.",
    ),
    Check(
        "XDS1002",
        "An older spelling is used",
        INFO,
        "The document names a version or kind of an earlier release of the Gateway API. It is read as the newest.",
        "Let xds-server convert spell it as today's API does.",
    ),
    Check(
        "XDS1003",
        "A kind of the Gateway API is not served here",
        INFO,
        "The document is of a kind of the Gateway API that this server does not read, so it does nothing.",
        "Remove the document, or leave it to whoever serves the kind.",
    ),
    Check(
        "XDS1010",
        "A rule can never match",
        WARNING,
        "Wherever the match is served, another one is tried before it and takes every request that it would take: the"
        " more specific first, then the older route, then the first in its route.",
        "Make the match more specific, or remove it.",
    ),
    Check(
        "XDS1011",
        "A rule has no backend",
        WARNING,
        "The rule names no backend and no filter that answers, so its requests are answered with 500.",
        "Name a backend, or a RequestRedirect filter.",
    ),
    Check(
        "XDS1012",
        "All backends of a rule have weight 0",
        WARNING,
        "A backend of weight 0 gets no requests; with nothing else to send them to they are answered with 500.",
        "Give at least one backend a weight.",
    ),
    Check(
        "XDS1013",
        "A backend has no ready endpoint",
        WARNING,
        "The Service is there, but no EndpointSlice brings an address that takes traffic on this port, so its share of"
        " the requests is answered with 503.",
        "Give an EndpointSlice with the label kubernetes.io/service-name and a port of the Service port's name.",
    ),
    Check(
        "XDS1014",
        "A Gateway's listener has no routes",
        INFO,
        "No route is attached, be it that routes come later or are not among what was read. Meanwhile requests to an"
        " HTTP or HTTPS listener are answered with 404, and what comes to others goes nowhere.",
        "Do nothing where that is meant; else attach a route, or remove the listener.",
    ),
    Check(
        "XDS1015",
        "A route has no parent that is served here",
        WARNING,
        "Routes are served by Gateways and ListenerSets that they name, or by default Gateways that they ask for. Other"
        " parents, such as the Services of a mesh, have no effect.",
        "Name a Gateway or ListenerSet in parentRefs, or set useDefaultGateways.",
    ),
    Check(
        "XDS1016",
        "A ReferenceGrant names a kind that is not known",
        WARNING,
        "No object is of a kind of this name in this group, so the entry allows nothing.",
        "Correct group and kind.",
    ),
    Check(
        "XDS1020",
        "A certificate has expired",
        ERROR,
        "Clients refuse it.",
        "Renew the certificate.",
    ),
    Check(
        "XDS1021",
        "A certificate expires soon",
        WARNING,
        "It expires within 30 days. Whoever renews it should have done so by now.",
        "Renew the certificate, or see why it was not renewed.",
    ),
    Check(
        "XDS1022",
        "A certificate does not cover its listener's hostname",
        WARNING,
        "None of the DNS names of the listener's certificates covers the hostname, so clients refuse the connection.",
        "Issue the certificate for the hostname, or correct the listener's.",
    ),
    Check(
        "XDS1023",
        "Listeners overlap in what TLS tells",
        INFO,
        "Hostnames or certificates of listeners on one port have hosts in common. A client may then use a connection"
        " to one of them for a host of another one, and is told with 421 to open a new one.",
        "Where clients cannot do with a 421, give the listeners certificates without common names, or other ports.",
    ),
    Check(
        "XDS1024",
        "A certificate is not valid yet",
        ERROR,
        "Clients refuse it until its time comes.",
        "Issue the certificate anew, or see whether the clock of whoever issues it is right.",
    ),
    Check(
        "XDS1025",
        "Clients are let in without a valid certificate",
        WARNING,
        "The mode AllowInsecureFallback asks clients for a certificate and takes them without one too.",
        "Remove the mode once all clients have certificates: AllowValidOnly is the default.",
    ),
    Check(
        "XDS1030",
        "A policy applies to nothing",
        WARNING,
        "None of its targets is a backend that a route uses here, so it does nothing, and no status tells of it.",
        "Correct group, kind and name in targetRefs: a policy is about objects of its own namespace.",
    ),
)
