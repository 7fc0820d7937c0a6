"""What a server says of itself to the Envoys that it deploys."""

from xds_server.app.deploying import installation
from xds_server.envoy.bootstrap import BootstrapOptions, bootstrap, to_json
from xds_server.envoy.control_plane import Security
from xds_server.infra.deployment import POD_IP, POD_NAME
from xds_server.model.meta import Key
from xds_server.settings import ServeSettings

SETTINGS = ServeSettings(namespace="system", advertise="xds-server.system.svc:18000", envoy_image="envoy:1")


def test_each_gateway_has_a_bootstrap_of_its_own() -> None:
    made = installation(SETTINGS)
    for gateway in (Key("shop", "web"), Key("blog", "edge")):
        options = BootstrapOptions(
            gateway=gateway,
            pod=POD_NAME,
            ads_host="xds-server.system.svc",
            ads_port=18000,
            admin_port=15000,
            security=Security("/etc/xds-server", "xds-server.system.svc"),
            status_port=15021,
            status_address=POD_IP,
        )
        assert made.bootstrap(gateway, None) == to_json(bootstrap(options))


def test_nothing_is_proved_over_plaintext() -> None:
    settings = ServeSettings(advertise="[fd00::1]:18000", insecure_ads=True)
    made = installation(settings)
    assert not made.secured
    assert "fd00::1" in str(made.bootstrap(Key("a", "b"), None))
    assert "/etc/xds-server" not in str(made.bootstrap(Key("a", "b"), None))


def test_the_heap_is_what_the_deployment_says() -> None:
    made = installation(SETTINGS)
    told = [str(made.bootstrap(Key("a", "b"), heap)) for heap in (None, 123456789)]
    assert ["1073741824" in text for text in told] == [True, False]
    assert ["123456789" in text for text in told] == [False, True]
