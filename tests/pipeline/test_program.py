"""The pipeline as a whole: finding leaves again, and keys that fail alone."""

import pytest

from tests.pipeline.documents import backend, gateway, listener, put, route, rule, secret, service
from xds_server.model.meta import Key
from xds_server.pipeline import program
from xds_server.pipeline.holds import HoldId
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline
from xds_server.routing.feature import Feature
from xds_server.wire.part import leaves
from xds_server.xds.resource import ResourceType

TLS = {"protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "c"}]}}


def built(options: Options) -> Pipeline:
    pipeline = program.build(options)
    put(
        pipeline,
        gateway("gw", listener("http"), listener("own", hostname="own.example.com"), listener("https", 443, **TLS)),
        gateway("second", listener("http")),
        service("s1"),
        secret("c", "c.example.com"),
        route("shop", rules=[rule("/a", backend("s1")), rule("/b", backend("s1"))]),
        route("hosts", hosts=["a.example.com", "*.b.com"], rules=[rule("/", backend("s1"))]),
    )
    pipeline.settle()
    return pipeline


@pytest.fixture
def pipeline() -> Pipeline:
    return built(Options(any_class=True, strict=True))


def test_every_leaf_of_every_resource_is_found_again(pipeline: Pipeline) -> None:
    """But for headers of hosts that no route names: those are made from nothing that could be rejected anew."""
    pipeline.publisher.changes(pipeline.settle())
    checked = 0
    for output in pipeline.outputs:
        for key, row in output.table.items():
            for leaf in leaves(row.base):
                if leaf.id == "host own.example.com" or not row.base.parts:
                    continue
                found = pipeline.leaf(HoldId(output.gateway(key), "1.40.0", output.type, leaf.id))
                assert found is not None, leaf.id
                assert found.id == leaf.id
                assert found.hash == leaf.hash
                checked += 1
    assert checked > 15


def test_a_leaf_that_is_gone_is_not_found(pipeline: Pipeline) -> None:
    for type_, name in (
        (ResourceType.ROUTE, "HTTPRoute/default/shop/7/0@80"),
        (ResourceType.ROUTE, "host nowhere.example.com"),
        (ResourceType.LISTENER, "http-81"),
        (ResourceType.SECRET, "secret/default/none"),
    ):
        assert pipeline.leaf(HoldId(Key("default", "gw"), "1.40.0", type_, name)) is None
    assert pipeline.leaf(HoldId(Key("default", "none"), "1.40.0", ResourceType.LISTENER, "http-80")) is None


def test_gateways_are_those_that_are_ours(pipeline: Pipeline) -> None:
    assert pipeline.gateways() == [Key("default", "gw"), Key("default", "second")]


def test_a_key_that_fails_keeps_what_it_had_and_stops_no_other() -> None:
    """A filter with a bug in it: the route that uses it stays as it was, and everything else goes on."""

    def explode(*_: object) -> None:
        raise RuntimeError("a bug")

    options = Options(any_class=True)
    broken: Feature[object, object, object] = Feature(name="broken", type="Broken", parse=explode)
    pipeline = built(Options(any_class=True, features={**options.features, "Broken": broken}))
    rules = pipeline.tables.rules
    before = rules.get(("HTTPRoute", Key("default", "shop")))
    put(
        pipeline,
        route("shop", rules=[rule("/new", backend("s1"), filters=[{"type": "Broken"}])]),
        route("hosts", rules=[rule("/new", backend("s1"))]),
    )
    settled = pipeline.settle()
    assert [(name, key) for name, key in settled.failures] == [("rules", ("HTTPRoute", Key("default", "shop")))]
    assert rules.get(("HTTPRoute", Key("default", "shop"))) == before is not None
    changed = rules.get(("HTTPRoute", Key("default", "hosts")))
    assert changed is not None
    assert changed.rules[0].match.path.value == "/new"
    put(pipeline, route("shop", rules=[rule("/fixed", backend("s1"))]))
    assert pipeline.settle().failures == {}
