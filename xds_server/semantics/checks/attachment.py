"""XDS06xx: routes and the listeners that they name as parents."""

from xds_server.semantics.checks.check import ERROR, Check, Told

CHECKS = (
    Check(
        "XDS0601",
        "A parent has no such listener",
        ERROR,
        "The parent is there, but none of its listeners has the name in sectionName or the number in port.",
        "Correct sectionName and port, or leave them out to attach to every listener.",
        (Told("Route", "Accepted", "NoMatchingParent"),),
    ),
    Check(
        "XDS0602",
        "No listener allows the route",
        ERROR,
        "A listener says in allowedRoutes from which namespaces (its own unless it says otherwise) and of which kinds"
        " it takes routes; and its protocol has to fit the kind.",
        "Allow the namespace or kind in allowedRoutes of the listener, or move the route.",
        (Told("Route", "Accepted", "NotAllowedByListeners"),),
    ),
    Check(
        "XDS0603",
        "The route and the listeners have no hostname in common",
        ERROR,
        "A listener with a hostname serves that hostname alone; *.example.com is every name below example.com, and not"
        " example.com itself.",
        "Give the route a hostname that a listener serves, or widen the listener's.",
        (Told("Route", "Accepted", "NoMatchingListenerHostname"),),
        field="spec.hostnames",
    ),
    Check(
        "XDS0604",
        "A parent is not among the files",
        ERROR,
        "What is attached to it is not served. Names in parentRefs are looked for in the object's own namespace unless"
        " they name another.",
        "Correct name and namespace of the parent, or check its file too; --ignore XDS0604 where it is elsewhere.",
        (Told("", "Attached", "NoSuchParent", "^there is no "),),
    ),
    Check(
        "XDS0605",
        "A parent cannot be read",
        ERROR,
        "There is a document with the parent's name, and it has a fault, so it is taken as absent.",
        "Mend the parent.",
        (Told("", "Attached", "NoSuchParent", "cannot be read[,:] "),),
    ),
    Check(
        "XDS0606",
        "A route would repeat too many rules",
        ERROR,
        "Rules for a wildcard hostname are repeated for every narrower hostname of the listener, up to a limit. What"
        " came last is refused, so that what was there before stays in service.",
        "Use fewer hostnames below the wildcard, or split the listener by hostname.",
        (Told("Route", "Accepted", "UnsupportedValue", "repeated matches"),),
        field="spec.hostnames",
        unshown="It takes more rules than a page holds.",
    ),
    Check(
        "XDS0690",
        "A route is not accepted",
        ERROR,
        "A parent does not accept the route, for a reason that has no code of its own.",
        "Do as the message says.",
        (Told("Route", "Accepted"), Told("", "Attached")),
        unshown="Every reason that is given today has a code of its own.",
    ),
)
