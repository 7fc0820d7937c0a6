"""What a replica makes of verdicts: Events that wait for it to lead."""

from typing import cast

import msgspec

from tests.pipeline.documents import Document, gateway, listener
from tests.shell.test_verdicts import World
from xds_server.app.replica import Replica
from xds_server.shell.kube.acks import AckExchange
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.crds import CrdWatch
from xds_server.shell.kube.decode import head
from xds_server.shell.kube.events import Events
from xds_server.shell.kube.leader import Alone
from xds_server.shell.kube.live import LiveObjects
from xds_server.shell.kube.source import KubeSource
from xds_server.shell.kube.status import StatusWriter


class Source:
    """Knows one Gateway."""

    def __init__(self) -> None:
        self.live = LiveObjects()
        metadata = {"name": "gw", "namespace": "default", "uid": "u-1", "resourceVersion": "1"}
        self.live.note("Gateway", head(msgspec.json.encode({"metadata": metadata})))


def secure(secret: str) -> Document:
    tls = {"certificateRefs": [{"name": secret}]}
    return gateway("gw", listener("s", 443, protocol="HTTPS", tls=tls), listener("odd", 81, protocol="example.com/odd"))


def test_a_fault_waits_to_be_an_event_once_and_anew_when_it_is_another() -> None:
    events = Events(cast("KubeClient", None), "example.com/controller", "me")
    member = Replica(
        Alone("me"),
        cast("StatusWriter", None),
        cast("AckExchange | None", None),
        cast("CrdWatch", None),
        events,
        cast("KubeSource", Source()),
    )
    world = World(files=False)
    world.log.told = member.verdict
    for _ in range(3):
        world.told(secure("one"))
    world.told(secure("two"))
    assert [(str(one.about), one.uid, one.reason, one.text) for one in events._waiting] == [
        (
            "Gateway default/gw",
            "u-1",
            "InvalidCertificateRef",
            f"listener s: tls.certificateRefs[0]: Secret default/{name} does not exist (XDS0502)",
        )
        for name in ("one", "two")
    ]
    assert [told.count for told in events._told.values()] == [1, 1]
