from dataclasses import replace

import pytest

from xds_server.model.meta import Key
from xds_server.pb import base_pb2
from xds_server.routing.audience import Everyone, ForGateway, ForNamespace, ForWorkload
from xds_server.xds.errors import RemoteProtocolError
from xds_server.xds.node import Node, audiences, node_of, require_same


def message(id_: str = "gateway~pod-1.prod", cluster: str = "prod/edge", build: str = "1.40.0") -> base_pb2.Node:
    found = base_pb2.Node(id=id_, cluster=cluster)
    if build:
        version = found.user_agent_build_version.version
        version.major_number, version.minor_number, version.patch = (int(part) for part in build.split("."))
    return found


def test_a_gateways_proxy() -> None:
    found = message()
    found.metadata.update({"region": "eu", "weights": [1, 2]})
    node = node_of(found)
    assert node == Node(
        id="gateway~pod-1.prod",
        cluster="prod/edge",
        kind="gateway",
        pod="pod-1.prod",
        namespace="prod",
        name="edge",
        build="1.40.0",
        metadata={"region": "eu", "weights": [1.0, 2.0]},
    )
    assert audiences(node) == (Everyone(), ForGateway("prod", "edge"), ForGateway("prod", "edge", "1.40.0"))


def test_a_proxy_in_another_namespace_than_its_gateway_and_of_unknown_version() -> None:
    node = node_of(message("gateway~a.b-c.infra", build=""))
    assert (node.pod, node.namespace, node.build) == ("a.b-c.infra", "prod", "")
    assert audiences(node) == (Everyone(), ForGateway("prod", "edge"))


def test_the_gateways_that_the_server_says_count_and_not_the_one_that_the_node_names() -> None:
    node = replace(node_of(message()), gateways=(Key("prod", "first"), Key("shop", "second")))
    first, second = ForGateway("prod", "first"), ForGateway("shop", "second")
    built = [one._replace(build="1.40.0") for one in (second, first)]
    assert audiences(node) == (Everyone(), second, built[0], first, built[1]), "the first has what both have"
    assert node.serves == node.speaks_for == node.gateways
    assert audiences(replace(node, gateways=())) == (Everyone(),)


def test_one_that_drains_sees_what_it_saw_and_speaks_for_nobody() -> None:
    node = node_of(message())
    drains = replace(node, draining=True)
    assert audiences(drains) == audiences(node)
    assert (drains.serves, drains.speaks_for) == ((Key("prod", "edge"),), ())


def test_a_sidecar() -> None:
    node = node_of(message("sidecar~cart-1.shop", "shop/cart"))
    assert audiences(node) == (Everyone(), ForNamespace("shop"), ForWorkload("shop", "cart"))
    assert node.serves == node.speaks_for == ()


@pytest.mark.parametrize("id_", ["", "gateway", "gateway~", "gateway~pod", "gateway~.ns", "gateway~pod.", "router~a.b"])
def test_an_id_of_another_form(id_: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        node_of(message(id_))
    assert str(caught.value).startswith(f'node.id is {id_!r}; node.id is expected as "gateway~POD.NAMESPACE"')


@pytest.mark.parametrize("cluster", ["", "edge", "/edge", "prod/", "prod/edge/x"])
def test_a_cluster_of_another_form(cluster: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        node_of(message(cluster=cluster))
    assert str(caught.value).startswith(f"node.cluster is {cluster!r}; ")


def test_a_stream_belongs_to_one_node() -> None:
    node = node_of(message())
    require_same(node, message(build="1.41.0"))
    with pytest.raises(RemoteProtocolError, match=r"a later request came from 'gateway~pod-2\.prod'"):
        require_same(node, message("gateway~pod-2.prod"))
    with pytest.raises(RemoteProtocolError, match="of 'other/edge'"):
        require_same(node, message(cluster="other/edge"))
