"""Which pods are proxies; scenarios of the topic `places` show more."""

from msgspec.structs import replace

from xds_server.infra.proxies import NamedPort, NamedService, made_for, proxy
from xds_server.model.core import Container, ContainerPort, Pod, PodCondition, PodSpec, PodStatus
from xds_server.model.meta import Key, Metadata

GATEWAY = Key("ns", "gw")
SERVICE = NamedService(Key("ns", "s"), (GATEWAY, Key("ns", "other")), {"app": "envoy", "tier": "edge"})


def pod(account: str = "", phase: str = "Running", **labels: str) -> Pod:
    ports = (ContainerPort(80, "web"), ContainerPort(81))
    return Pod(
        Metadata("p", "ns", labels=labels),
        PodSpec(account, (Container(ports), Container()), (Container((ContainerPort(90, "init"),)),)),
        PodStatus(phase),
    )


def test_all_labels_of_a_selector_count() -> None:
    assert proxy(pod(app="envoy"), (), [SERVICE]) is None
    found = proxy(pod(app="envoy", tier="edge", more="x"), (), [SERVICE])
    assert found is not None
    assert (found.gateways, found.services) == (SERVICE.gateways, (SERVICE.key,))
    assert found.service_account == "default"


def test_a_pod_is_ready_by_its_condition() -> None:
    found = [
        proxy(replace(pod("gw"), status=PodStatus("Running", conditions=conditions)), [GATEWAY], ())
        for conditions in (
            (PodCondition("Ready", "True"),),
            (PodCondition("Ready", "False"),),
            (PodCondition("Initialized", "True"),),
            (),
        )
    ]
    assert [one is not None and one.ready for one in found] == [True, False, False, False]


def test_only_named_ports_of_containers_that_run_count() -> None:
    found = proxy(pod(app="envoy", tier="edge"), (), [SERVICE])
    assert found is not None
    assert found.ports == (NamedPort("web", "TCP", 80),)
    assert (found.port("web", "TCP"), found.port("web", "UDP"), found.port("init", "TCP")) == (80, None, None)


def test_a_pod_that_ended_is_no_proxy() -> None:
    assert proxy(pod(phase="Failed", app="envoy", tier="edge"), (), [SERVICE]) is None


def test_what_is_made_for_a_gateway_runs_as_its_account() -> None:
    assert proxy(pod(), [GATEWAY], ()) is None
    found = proxy(pod("gw"), [GATEWAY], ())
    assert found is not None
    assert (found.gateways, found.services) == ((GATEWAY,), ())


def test_both_labels_say_whom_a_pod_is_made_for() -> None:
    label = {"gateway.networking.k8s.io/gateway-name": "gw"}
    assert made_for(pod(**label)) is None
    assert made_for(pod(**label, **{"app.kubernetes.io/managed-by": "Helm"})) is None
    assert made_for(pod(**label, **{"app.kubernetes.io/managed-by": "xds-server"})) == ("ns", "gw")
    assert made_for(pod(**{"app.kubernetes.io/managed-by": "xds-server"})) is None
