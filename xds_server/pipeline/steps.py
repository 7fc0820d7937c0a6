"""Steps of a prediction that all kinds of requests have in common: the listener, filters, backends."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from xds_server.filters import BY_TYPE
from xds_server.pipeline import origins
from xds_server.pipeline.prediction import BackendStep, FilterStep, ListenerStep, Source
from xds_server.pipeline.program import Pipeline
from xds_server.routing.backend import NOT_SECURED, InvalidBackend
from xds_server.routing.feature import Applied, Feature, Place
from xds_server.routing.rule import Action, Rule, Session, WeightedBackend
from xds_server.semantics.grants import Referrer
from xds_server.semantics.listeners import AttachPoint

_SECURES = {"Service": "BackendTLSPolicy"}
"""What secures connections to a kind of backend, where it is not the backend itself."""
FEATURES: Mapping[str, Feature[Any, Any, Any]] = BY_TYPE


def listener(pipeline: Pipeline, point: AttachPoint) -> ListenerStep:
    """The listener, its certificates, and what allows it to have them."""
    served = point.served
    certificates = served.certificates if served else ()
    owner = point.id.owner
    grants = [origins.grant(pipeline, Referrer.of(owner), one.kind, one.key) for one in certificates]
    clients = served.clients if served else None
    return ListenerStep(
        source=Source(str(owner), f"listeners[{point.id.name}]"),
        port=point.port,
        protocol=point.protocol,
        hostname=point.hostname,
        certificates=tuple(f"{one.kind} {one.key}" for one in certificates),
        grants=tuple(one for one in grants if one),
        client_certificates="" if clients is None else "required" if clients.required else "asked for",
        filters=filters(point.served.filters if point.served else ()),
    )


def filters(applied: Iterable[Applied]) -> tuple[FilterStep, ...]:
    """The filters in the order in which they were written."""
    steps = []
    for one in applied:
        describe = FEATURES[one.type].describe
        steps.append(FilterStep(one.type, describe(one.config) if describe else ""))
    return tuple(steps)


def place(point: AttachPoint, rule: Rule) -> Place:
    """Where a rule is served."""
    return Place(point.port, "https" if point.protocol == "HTTPS" else "http", rule.match)


def settings(action: Action) -> Iterator[str]:
    """What a rule says beside matches, filters and backends."""
    limits = {"request": action.timeouts.request, "backendRequest": action.timeouts.backend_request}
    for name, milliseconds in limits.items():
        if milliseconds is not None:
            yield f"timeouts.{name} {f'{milliseconds / 1000:g} s' if milliseconds else 'without limit'}"
    if (retry := action.retry) is not None:
        codes = f" after {', '.join(map(str, retry.codes))}" if retry.codes else ""
        backoff = "" if retry.backoff is None else f", {retry.backoff / 1000:g} s apart"
        yield f"retry {retry.attempts} {'time' if retry.attempts == 1 else 'times'}{codes}{backoff}"


def _session(session: Session | None) -> str:
    if session is None:
        return ""
    lasts = f", {session.seconds} s" if session.seconds is not None else ""
    return f"{session.type} {session.name}{lasts}"


def answers(action: Action) -> bool:
    """Does a filter answer, so that no backend is asked?"""
    return any(FEATURES[one.type].answers for one in action.filters)


def backends(pipeline: Pipeline, rule: Rule, *, passed_on: bool = False) -> tuple[BackendStep, ...]:
    """The backends of a rule, each with its share, in the order in which they were written; `passed_on` where the
    client's own TLS is.
    """
    action = rule.action
    if action.fault is None and answers(action):
        return ()
    total = sum(one.weight for one in action.backends) or 1
    return tuple(_backend(pipeline, rule, one, total, passed_on) for one in action.backends)


def _backend(pipeline: Pipeline, rule: Rule, one: WeightedBackend, total: int, passed_on: bool) -> BackendStep:
    share = round(100 * one.weight / total, 4)
    if isinstance(one.backend, InvalidBackend):
        return BackendStep("", share, problem=one.backend.message)
    backend = one.backend
    tls = "" if backend.tls == NOT_SECURED else f"{_SECURES.get(backend.kind, backend.kind)} {backend.tls}"
    if passed_on:
        backend = backend._replace(tls=NOT_SECURED)
    addresses, slices = origins.endpoints(pipeline, backend.endpoints)
    referrer = Referrer(rule.id.kind, rule.id.route.namespace)
    return BackendStep(
        object=f"{backend.kind} {backend.service} port {backend.port}",
        share=share,
        protocol="" if backend.protocol == "auto" else backend.protocol,
        endpoints=tuple(addresses),
        slices=tuple(slices),
        grant=origins.grant(pipeline, referrer, backend.kind, backend.service),
        filters=filters(one.filters),
        tls="" if passed_on else tls,
        unused=tls if passed_on else "",
        session=_session(one.session),
        problem=origins.unreached(pipeline, backend) or ("" if addresses else "no endpoint takes traffic"),
    )
