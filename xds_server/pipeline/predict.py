"""What a request would come to at a Gateway: listener, host, rule, backends, answer; or what came closest.

Reads a settled pipeline, from outside of its functions, and follows the tables as Envoy follows what is made of them.
"""

from collections.abc import Iterator
from dataclasses import replace

from xds_server.envoy import arriving, matching
from xds_server.model.meta import Key
from xds_server.pipeline import misses, steps
from xds_server.pipeline.arrival import Arrival, arrive
from xds_server.pipeline.prediction import Answer, BackendStep, Prediction, RuleStep, Source
from xds_server.pipeline.program import Pipeline
from xds_server.routing.feature import Place
from xds_server.routing.hostname import covers, specificity
from xds_server.routing.request import Request
from xds_server.routing.rule import Action, Rule
from xds_server.semantics.attach import Claim, ClaimId
from xds_server.semantics.listeners import AttachPoint

_GRPC_STATUS = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
"""What callers of gRPC see of Envoy's own answers; of others UNKNOWN."""
_UNKNOWN = 2
_NO_ENDPOINTS = 503
_KEPT = {"path", "queryParams"}
"""The parts of a match that hold for what a filter intercepts, too."""


def predict(pipeline: Pipeline, gateway: Key, request: Request) -> Prediction:
    """The prediction for one Gateway that is ours."""
    arrival = arrive(pipeline, gateway, request)
    seen = arriving.seen(request)
    point = arrival.point
    step = steps.listener(pipeline, point) if point else None
    found = Prediction(gateway=str(gateway), listener=step, answer=Answer("response", 404))
    if arrival.answer is not None:
        close = misses.nearest(pipeline, gateway, arrival, seen) if arrival.answer.status == 404 else ()
        return _for_grpc(replace(found, answer=arrival.answer, misses=close), seen)
    assert point is not None
    if point.served is not None and point.served.scope is None:
        return _connection(pipeline, found, point, request.sni.lower() if request.secure else "")
    return _for_grpc(_request(pipeline, found, arrival, seen), seen)


def _request(pipeline: Pipeline, found: Prediction, arrival: Arrival, request: Request) -> Prediction:
    point = arrival.point
    assert point is not None
    found = replace(found, host=arrival.hosts[0] if arrival.hosts else "")
    host, rule, early = _taking(pipeline, arrival, request)
    if rule is None:
        close = misses.nearest(pipeline, point.id.gateway, arrival, request)
        return replace(found, answer=Answer("response", 404, why=_why_none(arrival, request)), misses=close)
    claim = pipeline.tables.claims.get(ClaimId(point.id, host, rule.id.kind, rule.id.route))
    step = RuleStep(
        source=Source(rule.id.owner, rule.id.place),
        match=matching.words(rule.match),
        hostname=claim.written if claim else host,
        filters=steps.filters(rule.action.filters),
        settings=tuple(steps.settings(rule.action)),
    )
    if early is not None:
        return replace(found, rule=step, answer=early)
    backends = steps.backends(pipeline, rule)
    place = steps.place(point, rule)
    return replace(found, rule=step, backends=backends, answer=_answer(rule.action, backends, place, request))


def _taking(pipeline: Pipeline, arrival: Arrival, request: Request) -> tuple[str, Rule | None, Answer | None]:
    """The rule that takes the request, and its host; with the answer, where a filter gives it before all else."""
    for host, rule in candidates(pipeline, arrival):
        missed = {field for field, _ in matching.misses(rule.match, request)}
        early = None if missed & _KEPT or arrival.point is None else _intercepted(rule, arrival.point, request)
        if early is not None or not missed:
            return host, rule, early
    return "", None, None


def _intercepted(rule: Rule, point: AttachPoint, request: Request) -> Answer | None:
    for one in rule.action.filters:
        intercepts = steps.FEATURES[one.type].intercepts
        response = intercepts(one.config, steps.place(point, rule), request) if intercepts else None
        if response is not None:
            return Answer("response", response.status, response.location, f"{one.type} answers")
    return None


def candidates(pipeline: Pipeline, arrival: Arrival) -> Iterator[tuple[str, Rule]]:
    """The rules that are tried, in order, each with the host that it is served under."""
    tables = pipeline.tables
    known: dict[str, Rule] = {}
    for host in arrival.hosts:
        segment = tables.segments.get((arrival.point.id, host)) if arrival.point else None
        for leaf in segment.parts if segment else ():
            id_ = leaf.id.partition("@")[0]
            if id_ not in known:
                kind, namespace, name = id_.split("/")[:3]
                row = tables.rules.get((kind, Key(namespace, name)))
                known |= {str(rule.id): rule for rule in (row.rules if row else ())}
            if id_ in known:
                yield host, known[id_]


def _why_none(arrival: Arrival, request: Request) -> str:
    if not arrival.hosts:
        return f"no route has host {arriving.host(request.authority)} here"
    return f"no rule of host {arrival.hosts[0]} takes the request"


def _answer(action: Action, backends: tuple[BackendStep, ...], place: Place, request: Request) -> Answer:
    for one in sorted(action.filters, key=lambda one: not steps.FEATURES[one.type].guards):
        feature = steps.FEATURES[one.type]
        if feature.response is None or (action.fault is not None and not feature.guards):
            continue
        if (response := feature.response(one.config, place, request)) is not None:
            why = "" if response.location else f"{one.type}: {feature.describe(one.config) if feature.describe else ''}"
            return Answer("redirect" if response.location else "response", response.status, response.location, why)
    if action.fault is not None:
        return Answer("response", action.fault.status, why=action.fault.message)
    serving = [one for one in backends if one.share]
    lost = [one for one in serving if one.problem]
    if len(lost) == len(serving):
        status = min((_failure(one, action) for one in lost), default=action.unusable)
        return Answer("response", status, why=" and ".join(dict.fromkeys(one.problem for one in lost)))
    return Answer("backend", why=", ".join(f"{one.share:g}% of requests get {_failure(one, action)}" for one in lost))


def _failure(backend: BackendStep, action: Action) -> int:
    return _NO_ENDPOINTS if backend.object else action.unusable


def _for_grpc(found: Prediction, request: Request) -> Prediction:
    """Envoy's own answers to callers of gRPC come as 200, and what they are in grpc-status."""
    answer = found.answer
    if answer.status is None or not matching.is_grpc(request) or arriving.malformed(request):
        return found
    return replace(found, answer=replace(answer, grpc_status=_GRPC_STATUS.get(answer.status, _UNKNOWN)))


def _connection(pipeline: Pipeline, found: Prediction, point: AttachPoint, server_name: str) -> Prediction:
    """Connections and datagrams, which have one rule."""
    claim = _claim(pipeline, point, server_name)
    if claim is None:
        close = misses.unattached(pipeline, point)
        return replace(found, answer=Answer("closed", why="no route takes it"), misses=close)
    row = pipeline.tables.rules.get((claim.kind, claim.route))
    rule = next(iter(row.rules), None) if row else None
    found = replace(found, host=claim.host)
    if rule is None:
        return replace(found, answer=Answer("closed", why=f"{claim.kind} {claim.route} has no rule"))
    step = RuleStep(Source(rule.id.owner, rule.id.field), "everything", claim.written)
    passed_on = point.served is not None and point.served.protocol == "passthrough"
    backends = steps.backends(pipeline, rule, passed_on=passed_on)
    serving = [one for one in backends if one.share]
    lost = [one for one in serving if one.problem]
    if len(lost) == len(serving):
        why = " and ".join(dict.fromkeys(one.problem for one in lost)) or "the rule has no backend"
        return replace(found, rule=step, backends=backends, answer=Answer("closed", why=why))
    answer = Answer("backend", why=", ".join(f"{one.share:g}% are closed" for one in lost))
    return replace(found, rule=step, backends=backends, answer=answer)


def _claim(pipeline: Pipeline, point: AttachPoint, server_name: str) -> Claim | None:
    """Of the most specific host that covers the server name: the route whose own hostname is, then the oldest."""
    own = [claim for id_, claim in pipeline.tables.claims.items() if id_.listener == point.id]
    covering = sorted((claim for claim in own if covers(claim.host, server_name)), key=lambda claim: claim.age)
    return max(covering, key=lambda claim: (specificity(claim.host), specificity(claim.written)), default=None)
