"""XDS08xx: matches, filters and settings of rules."""

from xds_server.semantics.checks.check import ERROR, FIRST, LIVE, Check, Told


def _rule(words: str, reason: str = "") -> tuple[Told, ...]:
    """The signs of a problem of a rule: it is left out, or nothing of the route is accepted."""
    return tuple(Told("Route", type_, reason, words) for type_ in ("PartiallyInvalid", "Accepted"))


CHECKS = (
    Check(
        "XDS0891",
        "Envoy rejected a part of a route",
        ERROR,
        "Envoy refused what the rule means; the message has its words. The rule is answered with 500, all others go"
        " on.",
        "Change what Envoy's words are about. Since checks should have caught it, tell the maintainers.",
        _rule("was rejected by Envoy"),
        unshown=LIVE,
    ),
    Check(
        "XDS0801",
        "A regular expression is not accepted",
        ERROR,
        "Regular expressions are RE2's: without look-around and back references, and of bounded size. The match is"
        " left out.",
        "Mend the expression, or split it into several matches.",
        _rule("regular expression '"),
    ),
    Check(
        "XDS0802",
        "A match is of a type that is not known",
        ERROR,
        "The type of a match, or the method, is none that the API has. The match is left out.",
        "Write a type of the API: Exact or RegularExpression, for paths PathPrefix too.",
        _rule(r"matches\[\d+\]\.\S+: .*is not supported"),
    ),
    Check(
        "XDS0803",
        "A filter is not supported here",
        ERROR,
        "The filter's type is not known, or it cannot be had on a backendRef or in this kind of route. A rule is not"
        " served without one of its filters, so it is answered with 500.",
        "Remove the filter, or move it where it is supported.",
        _rule(r"filter \S* is not supported here"),
    ),
    Check(
        "XDS0804",
        "Filters do not go together",
        ERROR,
        "One of the filters answers the request itself, so what the other one does to the request to a backend would"
        " never happen; or a filter is given twice that can be had once.",
        "Put them into different rules, or remove one.",
        (*_rule("does not go with"), *_rule("is there already")),
    ),
    Check(
        "XDS0805",
        "A filter lacks its settings",
        ERROR,
        "The field that belongs to the filter's type is missing.",
        "Give the settings, or remove the filter.",
        _rule(r"\]: \S+ is missing"),
        unshown=FIRST,
    ),
    Check(
        "XDS0806",
        "A change of headers cannot be made",
        ERROR,
        "A name or value is none that a header may have, or Host is added or removed, which requests have exactly"
        " once.",
        "Correct the header; Host can be set.",
        _rule("(request|response)HeaderModifier"),
    ),
    Check(
        "XDS0807",
        "A change of the path cannot be made",
        ERROR,
        "The type is not known, the path holds control characters, or ReplacePrefixMatch has no prefix to replace.",
        "Correct the path; ReplacePrefixMatch goes with PathPrefix matches alone.",
        _rule(r"(requestRedirect|urlRewrite)\.path"),
    ),
    Check(
        "XDS0808",
        "A redirect cannot be made",
        ERROR,
        "The scheme is neither http nor https, the port is none, or the status code none of a redirect.",
        "Correct scheme, port or statusCode, or leave them out.",
        _rule(r"requestRedirect\.(scheme|port|statusCode)"),
    ),
    Check(
        "XDS0809",
        "A share of mirrored requests is none",
        ERROR,
        "The fraction is more than one, or its denominator is not positive.",
        "Give percent from 0 to 100, or a fraction of at most 1.",
        _rule("requestMirror: .* is not a share"),
        unshown=FIRST,
    ),
    Check(
        "XDS0810",
        "Timeouts cannot be kept",
        ERROR,
        "A text is no duration, or backendRequest is longer than request.",
        "Correct the timeouts: durations are written like 1h30m, 10s or 500ms.",
        _rule(r"\.timeouts: "),
        unshown=FIRST,
    ),
    Check(
        "XDS0811",
        "A route for connections has more than one rule",
        ERROR,
        "A TLSRoute, TCPRoute or UDPRoute has one rule; the first one counts.",
        "Put the backends into one rule, or make several routes.",
        _rule("has one rule$"),
        unshown=FIRST,
    ),
    Check(
        "XDS0812",
        "CORS cannot be had as it is asked for",
        ERROR,
        "An origin, method or header is none. What is refused in part could open more than was meant, so the rule is"
        " answered with 500.",
        "Correct the entry that the message names.",
        _rule(r"\]: cors\."),
    ),
    Check(
        "XDS0813",
        "External authorization cannot be had as it is asked for",
        ERROR,
        "The protocol is neither GRPC nor HTTP, or a header or path is none. Requests are not let through unasked, so"
        " the rule is answered with 500.",
        "Correct the field that the message names.",
        _rule(r"\]: externalAuth\."),
    ),
    Check(
        "XDS0814",
        "Retries cannot be had as they are asked for",
        ERROR,
        "A code is not from 400 to 599, the number of attempts is less than 0, or the backoff is no duration.",
        "Correct the field that the message names.",
        _rule(r"\.retry\."),
        unshown=FIRST,
    ),
    Check(
        "XDS0815",
        "Sessions cannot be had as they are asked for",
        ERROR,
        "A type or name is none, the settings of the type are missing, or a timeout does not go with it. A client that"
        " counts on its session is not served without one, so the rule is answered with 500.",
        "Correct the field that the message names.",
        _rule(r"\.sessionPersistence\b"),
    ),
    Check(
        "XDS0816",
        "A weight is no share",
        ERROR,
        "Weights of backendRefs are from 0 to 1000000. The rule is answered with 500, or its connections are closed.",
        "Correct the weight.",
        _rule(r"backendRefs\[\d+\]\.weight: "),
        unshown=FIRST,
    ),
    Check(
        "XDS0890",
        "A rule is left out",
        ERROR,
        "A rule or match cannot be served, for a reason that has no code of its own. The rest of the route is served.",
        "Do as the message says.",
        (Told("Route", "PartiallyInvalid"), Told("Route", "Accepted", "UnsupportedValue")),
        unshown="Every reason that is given today has a code of its own.",
    ),
)
