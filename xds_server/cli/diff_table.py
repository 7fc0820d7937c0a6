"""What `diff` prints for people: what changes, conditions, who drains, and a summary in one line."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from xds_server.cli.table import print_rows
from xds_server.model.wording import some
from xds_server.pipeline.difference import GatewayChange, ResourceChange, StatusChange
from xds_server.pipeline.host_difference import HostChange, RouteChange
from xds_server.wire.changed import Change

_HEAD = ("GATEWAY", "CHANGE", "RESOURCE", "PART", "NOTE")
_STATUS_HEAD = ("OBJECT", "PART", "CONDITION", "TURNS", "REASON", "MESSAGE")
_STYLES = {Change.ADDED: "green", Change.REMOVED: "red", Change.CHANGED: "yellow", Change.RENAMED: ""}
_MOST = 3
"""How many names a cell has before it only counts."""
_SINGULAR = {"clusters": "cluster", "listeners": "listener", "secrets": "secret"}

Row = tuple[Change, str, str, str]
"""Change, resource, part, note."""


def print_changes(gateways: Sequence[GatewayChange], statuses: Sequence[StatusChange]) -> None:
    """What there is of both, as tables or lines, and a line for everything that drains."""
    rows = [(gateway.gateway, *row) for gateway in gateways for row in _rows(gateway)]
    if rows:
        styles = [_STYLES[row[1]] for row in rows]
        print_rows(_HEAD, rows, styles=styles)
        print()
    if statuses:
        lines = [(one.object, one.part, one.condition, one.turned, one.reason, one.message) for one in statuses]
        styles = ["green" if one.turned == "good" else "red" for one in statuses]
        print_rows(_STATUS_HEAD, lines, styles=styles)
        print()
    for gateway in gateways:
        for drain in gateway.drains:
            print(f"{gateway.gateway}: {drain}")


def summary(gateways: Sequence[GatewayChange], statuses: Sequence[StatusChange]) -> str:
    """One line, e.g. "2 Gateways change: 3 routes, 1 cluster; nothing drains"."""
    if not gateways and not statuses:
        return "nothing would change"
    told = []
    if gateways:
        counts = sum((_counts(gateway.resources) for gateway in gateways), Counter[str]())
        counts += Counter(one.kind for gateway in gateways for one in gateway.made)
        what = _listed(counts)
        change = "1 Gateway changes" if len(gateways) == 1 else f"{len(gateways)} Gateways change"
        told += [f"{change}: {what}" if what else change, *_replaced(gateways), _drained(gateways)]
    else:
        told.append("no Gateway changes")
    for turned in ("bad", "good"):
        if count := sum(one.turned == turned for one in statuses):
            told.append(f"1 condition turns {turned}" if count == 1 else f"{count} conditions turn {turned}")
    return "; ".join(told)


def _replaced(gateways: Iterable[GatewayChange]) -> Iterator[str]:
    if count := sum(any(one.replaces for one in gateway.made) for gateway in gateways):
        yield "the Envoys of 1 Gateway are replaced" if count == 1 else f"the Envoys of {count} Gateways are replaced"


def _drained(gateways: Iterable[GatewayChange]) -> str:
    drains = [drain for gateway in gateways for drain in gateway.drains]
    chains = sum(bool(drain.chain) for drain in drains)
    found = _listed(Counter({"listener": len(drains) - chains, "filter chain": chains}))
    return f"{found} {'drains' if len(drains) == 1 else 'drain'}" if drains else "nothing drains"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {noun if count == 1 else f'{noun}s'}" for noun, count in counts.items() if count)


def _counts(resources: Iterable[ResourceChange]) -> Counter[str]:
    """How many of which noun; routes first, and each once, however many virtual hosts have it."""
    routes = {(one.name, route.leaf): route.change for one in resources for host in one.hosts for route in host.routes}
    renamed = sum(change is Change.RENAMED for change in routes.values())
    counts = Counter({"route": len(routes) - renamed, "renamed route": renamed})
    for one in resources:
        match one.type:
            case "routes":
                own = sum(host.change is not Change.CHANGED for host in one.hosts)
                counts["virtual host"] += own
                counts["route configuration"] += not own and not any(host.routes for host in one.hosts)
            case "endpoints":
                counts["endpoint"] += len(one.endpoints)
            case type_:
                counts[_SINGULAR[type_]] += 1
    return counts


def _rows(gateway: GatewayChange) -> Iterator[Row]:
    """A Gateway that comes or goes is one row: everything of it does."""
    if gateway.change is not Change.CHANGED:
        served = "is served from now on" if gateway.change is Change.ADDED else "is not served any more"
        what = _listed(_counts(gateway.resources))
        yield gateway.change, "", "", f"{served}: {what}" if what else served
        return
    for one in gateway.resources:
        match one.type:
            case "routes":
                yield from _routes(one)
            case "listeners":
                yield from _listener(one, {drain.chain for drain in gateway.drains if drain.listener == one.name})
            case "endpoints":
                yield one.change, f"endpoints {one.name}", _endpoints(one), _some(one.fields)
            case type_:
                yield one.change, f"{_SINGULAR[type_]} {one.name}", "", _some(one.fields)
    for made in gateway.made:
        note = "its Envoys end" if made.change is Change.REMOVED else "its Envoys are replaced"
        yield made.change, f"{made.kind} {made.name}", _some(made.fields), note if made.replaces else ""


def _routes(one: ResourceChange) -> Iterator[Row]:
    name = f"routes {one.name}"
    if one.change is not Change.CHANGED:
        yield one.change, name, "", _some([host.host for host in one.hosts])
    elif one.fields:
        yield one.change, name, "", _some(one.fields)
    found: dict[RouteChange, list[str]] = {}
    for host in one.hosts:
        note = _host(host)
        if one.change is Change.CHANGED and (host.change is not Change.CHANGED or note or not host.routes):
            yield host.change, name, f"virtual host {host.host}", note
        for route in host.routes:
            found.setdefault(route, []).append(host.host)
    whole = {host.host: host.change for host in one.hosts if host.change is not Change.CHANGED}
    yield from _route_rows(name, found, whole)


def _route_rows(name: str, found: Mapping[RouteChange, Sequence[str]], whole: Mapping[str, Change]) -> Iterator[Row]:
    """In the order of rules. What comes and goes with virtual hosts, of `whole`, is one row for each object."""
    counts = Counter(_with_hosts(route, hosts, whole) for route, hosts in found.items())
    told = set()
    for route, hosts in sorted(found.items(), key=lambda entry: _order(entry[0])):
        group = _with_hosts(route, hosts, whole)
        if group is not None and counts[group] > 1:
            if group not in told:
                told.add(group)
                yield route.change, name, f"{route.object} {counts[group]} matches", f"on {_some(hosts)}"
            continue
        notes = [f"on {_some(hosts)}"]
        if route.was:
            notes.append(f"was {_place(route.was)}" if route.was != route.leaf else "does what it did")
        yield route.change, name, _route(route), "; ".join([*notes, *filter(None, [_some(route.fields)])])


def _with_hosts(
    route: RouteChange, hosts: Sequence[str], whole: Mapping[str, Change]
) -> tuple[Change, str, tuple[str, ...]] | None:
    """What a route has in common with others of its object that come or go as all of their virtual hosts do."""
    goes = route.object and all(whole.get(host) is route.change for host in hosts)
    return (route.change, route.object, tuple(hosts)) if goes else None


def _order(route: RouteChange) -> tuple[str, int, int]:
    return route.object, -1 if route.rule is None else route.rule, -1 if route.match is None else route.match


def _host(host: HostChange) -> str:
    notes = [_some(host.fields), "routes in another order" if host.reordered else ""]
    if host.instead:
        notes.append(f"its requests {'were' if host.change is Change.ADDED else 'become'} those of {host.instead}")
    return "; ".join(filter(None, notes))


def _route(route: RouteChange) -> str:
    return f"{route.object} {_place(route.leaf)}" if route.object else route.leaf


def _place(leaf: str) -> str:
    rule, match = leaf.partition("@")[0].split("/")[-2:]
    return f"rules[{rule}] match {match}"


def _listener(one: ResourceChange, drains: set[str]) -> Iterator[Row]:
    """The row of what drains says so; why is said in a line of its own."""
    name = f"listener {one.name}"
    whole = "" in drains
    if one.change is not Change.CHANGED or whole:
        yield one.change, name, "", "drains" if whole else ""
    if one.change is Change.CHANGED:
        for chain in one.chains:
            yield chain.change, name, f"filter chain {chain.chain}", "drains" if chain.chain in drains else ""


def _endpoints(one: ResourceChange) -> str:
    signs = {Change.ADDED: "+", Change.REMOVED: "-"}
    return _some([f"{signs.get(endpoint.change, '~')}{endpoint.address}" for endpoint in one.endpoints])


def _some(names: Sequence[str]) -> str:
    return some(names, _MOST)
