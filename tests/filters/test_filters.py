"""The list of filters: complete, and each member of the interface fits the others."""

from importlib import import_module
from pkgutil import iter_modules

import xds_server.filters
from xds_server.envoy import http_manager
from xds_server.filters import BY_TYPE, FILTERS
from xds_server.model.meta import Key
from xds_server.routing.feature import Feature
from xds_server.routing.listener import Listener, ListenerId


def test_every_filter_of_every_file_is_listed_once() -> None:
    found = []
    for module in iter_modules(xds_server.filters.__path__):
        here = [
            value
            for value in vars(import_module(f"xds_server.filters.{module.name}")).values()
            if isinstance(value, Feature)
        ]
        assert here, f"{module.name} holds no filter"
        found += here
    assert {id(one) for one in found} == {id(one) for one in FILTERS}
    assert len(BY_TYPE) == len(FILTERS) == len({one.name for one in FILTERS})


def test_features_are_advertised_once() -> None:
    advertised = [name for one in FILTERS for name in one.advertises]
    assert len(advertised) == len(set(advertised))
    assert all(name.startswith(("HTTPRoute", "GatewayListenerFilters")) for name in advertised)


def test_members_fit_each_other() -> None:
    for one in FILTERS:
        assert one.edit_route or one.wrap, f"{one.type} does nothing"
        assert not (one.answers and one.forwards)
        assert not (one.answers and one.on_backends), "an answer is for the whole rule"
        assert one.on_backends or one.edit_backend is None


def test_filters_of_the_chain_are_never_switched_off() -> None:
    """Envoy switches on what its first route asks for; a listener's filters may lead to another (decision 0007)."""
    listener = Listener(ListenerId(Key("shop", "gateway"), "http"), 80, "http", "*")
    scope = listener.scope
    assert scope is not None
    chain = [filter_ for one in FILTERS for filter_ in one.chain]
    assert not [one.name for one in http_manager.build(listener, scope, chain).http_filters if one.disabled]
