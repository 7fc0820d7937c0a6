"""Which rule answers a request: the published routes, read as Envoy reads them, against the API's own words.

The oracle chooses the listener by its hostname, then among the matches of all routes attached to it that take the
request the first by: hostname as written, path, method, headers, query parameters, age, name, place. It knows nothing
of virtual hosts. Source: Gateway API, HTTPRouteRule.matches, Listener.hostname, GEP-3567 for the isolation of hosts.
"""

import re
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pipeline.documents import Document, gateway, put, route
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.wire.decode import to_json
from xds_server.xds.resource import ResourceType

KIND_RANKS = {"Exact": 0, "RegularExpression": 1, "PathPrefix": 2}
HOSTNAMES = ["*.com", "*.e.com", "a.e.com", "b.e.com", "*.b.e.com", "x.b.e.com", "other.org"]
HOSTS = ["a.e.com", "b.e.com", "x.b.e.com", "y.x.b.e.com", "e.com", "z.e.com", "a.com", "other.org", "nowhere.net"]


@dataclass(frozen=True)
class Request:
    host: str
    path: str
    method: str
    headers: frozenset[str]
    query: frozenset[str]


def covers(pattern: str, host: str) -> bool:
    if not pattern.startswith("*"):
        return pattern == host
    return host.endswith(pattern[1:]) and host != pattern[2:]


def narrowness(pattern: str) -> tuple[bool, int]:
    return (bool(pattern) and not pattern.startswith("*"), len(pattern))


def takes(match: Document, request: Request) -> bool:
    path = match.get("path", {"type": "PathPrefix", "value": "/"})
    match path["type"]:
        case "Exact":
            found = request.path == path["value"]
        case "RegularExpression":
            found = re.fullmatch(path["value"], request.path) is not None
        case _:
            prefix = path["value"].rstrip("/")
            found = request.path == prefix or request.path.startswith(prefix + "/")
    return (
        found
        and match.get("method", request.method) == request.method
        and {one["name"] for one in match.get("headers", [])} <= request.headers
        and {one["name"] for one in match.get("queryParams", [])} <= request.query
    )


def rank(match: Document) -> tuple[Any, ...]:
    path = match.get("path", {"type": "PathPrefix", "value": "/"})
    value = path["value"].rstrip("/") or "/" if path["type"] == "PathPrefix" else path["value"]
    return (
        KIND_RANKS[path["type"]],
        -len(value),
        "method" not in match,
        -len(match.get("headers", [])),
        -len(match.get("queryParams", [])),
    )


def answer_of_the_api(listeners: list[str], routes: list[Document], request: Request) -> str | None:
    """The name of the match that answers, or None for a 404."""
    owning = [hostname for hostname in listeners if not hostname or covers(hostname, request.host)]
    if not owning:
        return None
    owner = max(owning, key=narrowness)
    found = []
    for document in routes:
        spec, metadata = document["spec"], document["metadata"]
        section = spec["parentRefs"][0].get("sectionName")
        if section is not None and section != f"l{listeners.index(owner)}":
            continue
        covering = [one for one in spec["hostnames"] or [""] if not one or covers(one, request.host)]
        if not covering:
            continue
        exact, length = max(map(narrowness, covering))
        name = f"{metadata['namespace']}/{metadata['name']}"
        for i, rule in enumerate(spec["rules"]):
            for j, match in enumerate(rule["matches"]):
                if takes(match, request):
                    order = (not exact, -length, *rank(match), metadata["creationTimestamp"], name, i, j)
                    found.append((order, f"HTTPRoute/{name}/{i}/{j}"))
    return min(found)[1] if found else None


def answer_of_envoy(configuration: dict[str, Any], request: Request) -> str | None:
    """Exact domain, longest wildcard, `*`; then the first route that matches."""
    domains = {one["domains"][0]: one.get("routes", []) for one in configuration.get("virtualHosts", [])}
    wildcards = sorted((one for one in domains if one.startswith("*.")), key=len, reverse=True)
    host = next((one for one in (request.host, *wildcards, "*") if one in domains and _domain(one, request.host)), None)
    routes = domains[host] if host else ()
    return next((one["name"] for one in routes if _matches(one["match"], request)), None)


def _domain(domain: str, host: str) -> bool:
    return domain in ("*", host) or (
        domain.startswith("*.") and host.endswith(domain[1:]) and len(host) > len(domain) - 1
    )


def _matches(match: dict[str, Any], request: Request) -> bool:
    match match:
        case {"path": value}:
            found = request.path == value
        case {"pathSeparatedPrefix": value}:
            found = request.path == value or request.path.startswith(value + "/")
        case {"prefix": value}:
            found = request.path.startswith(value)
        case {"safeRegex": {"regex": value}}:
            found = re.fullmatch(value, request.path) is not None
    for header in match.get("headers", []):
        if header["name"] == ":method":
            found = found and header["stringMatch"]["exact"] == request.method
        else:
            found = found and header["name"] in request.headers
    return bool(found) and {one["name"] for one in match.get("queryParameters", [])} <= request.query


names = st.sampled_from(["", "", "", "a", "b", "ab", "bc"]).map(list)


def _match(path: tuple[str, str] | None, method: str | None, headers: list[str], query: list[str]) -> Document:
    found: Document = {}
    if path is not None:
        found["path"] = {"type": path[0], "value": path[1]}
    if method is not None:
        found["method"] = method
    if headers:
        found["headers"] = [{"name": name, "value": "1"} for name in headers]
    if query:
        found["queryParams"] = [{"name": name, "value": "1"} for name in query]
    return found


paths = st.one_of(
    st.none(),
    st.tuples(st.just("PathPrefix"), st.sampled_from(["/", "/p", "/p/", "/p/q", "/pq"])),
    st.tuples(st.just("Exact"), st.sampled_from(["/", "/p", "/p/", "/p/q"])),
    st.tuples(st.just("RegularExpression"), st.sampled_from(["/p.*", "/[pq]+", "/.*/q"])),
)
matches = st.builds(_match, paths, st.sampled_from([None, None, "GET"]), names, names)
rules = st.lists(
    st.lists(matches, min_size=1, max_size=2).map(
        lambda found: {
            "matches": found,
            "filters": [{"type": "RequestRedirect", "requestRedirect": {"hostname": "x.io"}}],
        }
    ),
    min_size=1,
    max_size=2,
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[str], list[Document]]:
    """Hostnames of the listeners of a port ("" for all), and routes."""
    listeners = draw(st.lists(st.sampled_from(["", "", "*.e.com", *HOSTNAMES]), min_size=1, max_size=3, unique=True))
    found = []
    for name in draw(st.lists(st.sampled_from(["r1", "r2", "r3"]), min_size=1, max_size=3, unique=True)):
        made = route(
            name,
            namespace=draw(st.sampled_from(["default", "a", "a-b"])),
            hosts=draw(st.just([]) | st.lists(st.sampled_from(HOSTNAMES), max_size=4, unique=True)),
            rules=draw(rules),
            creationTimestamp=draw(st.sampled_from(["2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"])),
        )
        section = draw(st.sampled_from([None, None, 0, 1]))
        if section is not None:
            made["spec"]["parentRefs"][0]["sectionName"] = f"l{section}"
        found.append(made)
    return listeners, found


requests = st.builds(
    Request,
    st.sampled_from(HOSTS),
    st.sampled_from(["/", "/p", "/p/", "/p/q", "/pq", "/p/q/r", "/x"]),
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["abc", "abc", "a", "b", ""]).map(frozenset),
    st.sampled_from(["abc", "abc", "a", "b", ""]).map(frozenset),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.lists(requests, min_size=5, max_size=20))
def test_envoy_answers_as_the_api_says(world: tuple[list[str], list[Document]], asked: list[Request]) -> None:
    listeners, routes = world
    pipeline = program.build(Options(any_class=True, strict=True))
    allowed = {"namespaces": {"from": "All"}}
    spelled = [
        {"name": f"l{index}", "port": 80, "protocol": "HTTP", "allowedRoutes": allowed}
        | ({"hostname": hostname} if hostname else {})
        for index, hostname in enumerate(listeners)
    ]
    put(pipeline, gateway("gw", *spelled), *routes)
    changes = pipeline.publisher.changes(pipeline.settle())
    (published,) = [one for (_, type_, _), one in changes.items() if type_ is ResourceType.ROUTE]
    assert published is not None
    configuration = to_json(published.type.url, published.body)
    for request in asked:
        assert answer_of_envoy(configuration, request) == answer_of_the_api(listeners, routes, request), request
