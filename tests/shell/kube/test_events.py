"""What is worth an Event; that they are written, e2e/test_events.py shows."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from tests.pipeline.documents import Document, backend, document, gateway, grant, listener, route, rule, secret, service
from tests.scenarios.certificates import filled_in
from tests.shell.kube.waiting import until
from tests.shell.test_verdicts import World
from xds_server.model.meta import Key, ObjectRef
from xds_server.semantics.checks.catalog import CHECKS
from xds_server.shell.kube import events
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.events import reason_of, worth


def test_every_code_is_one() -> None:
    assert set(events._REASONS) <= CHECKS.keys()


def test_what_people_wrote_themselves_is_told_by_statuses_alone() -> None:
    assert reason_of("XDS0601", "no such listener") is None
    assert reason_of("XDS0891", "rules[0] was rejected by Envoy: no") == "EnvoyRejected"


def test_a_certificate_that_expired_says_so() -> None:
    assert reason_of("XDS0509", "Secret a/b: expired on 2026-01-01 at 00:00 UTC") == "CertificateExpired"
    assert reason_of("XDS0506", "Secret a/b: tls.crt does not parse") == "CertificateUnusable"


def parameters(name: str) -> Document:
    made = gateway("gw", listener("http"))
    made["spec"]["infrastructure"] = {"parametersRef": {"group": "", "kind": "ConfigMap", "name": name}}
    return made


def secure(**certificate: str) -> Document:
    return gateway("gw", listener("s", 443, protocol="HTTPS", tls={"certificateRefs": [certificate]}))


def shown(**certificate: str) -> Document:
    made = gateway("gw", listener("http"))
    made["spec"]["tls"] = {"backend": {"clientCertificateRef": certificate}}
    return made


ACROSS = [
    gateway("gw", listener("http")),
    route("a", rules=[rule("/", backend("gone"), backend("s", namespace="other"))]),
]


@pytest.mark.parametrize(
    ("documents", "reason", "words"),
    [
        ([parameters("none")], "InvalidParameters", "ConfigMap default/none does not exist (XDS0308)"),
        ([secure(name="none")], "InvalidCertificateRef", "Secret default/none does not exist (XDS0502)"),
        ([secure(name="c", namespace="other")], "RefNotPermitted", "no ReferenceGrant in other"),
        ([document("Secret", "c"), secure(name="c")], "CertificateUnusable", "it has no tls.crt"),
        ([shown(name="none")], "InvalidClientCertificateRef", "Secret default/none does not exist"),
        ([shown(name="c", namespace="other")], "RefNotPermitted", "no ReferenceGrant in other"),
        (ACROSS, "RefNotPermitted", "Service other/s: no ReferenceGrant in other"),
    ],
)
def test_what_others_can_take_from_a_gateway_is_an_event_once(
    documents: list[Document], reason: str, words: str
) -> None:
    world, heard = World(), []
    world.log.told = lambda about, checks, message: heard.append((about, worth(checks, message), message))
    for _ in range(3):
        world.told(*(filled_in(one) for one in documents))
        world.told(service("unrelated"))
    ((about, found, message),) = [one for one in heard if one[1] is not None]
    assert found is not None
    assert (about.kind, found[0]) == ("HTTPRoute" if documents is ACROSS else "Gateway", reason)
    assert words in f"{message} ({found[1]})"


def test_a_reference_that_fails_anew_is_an_event_anew() -> None:
    world, heard = World(), []
    world.log.told = lambda _, checks, message: heard.append(worth(checks, message))
    allowed = grant("g", "Gateway", "Secret")
    world.told(filled_in(secret("c", "a.test", namespace="other")), allowed, secure(name="c", namespace="other"))
    assert [one for one in heard if one] == []
    world.pipeline.inputs.remove("ReferenceGrant", Key("other", "g"))
    world.told()
    world.told(allowed)
    world.pipeline.inputs.remove("ReferenceGrant", Key("other", "g"))
    world.told()
    assert [one for one in heard if one] == [("RefNotPermitted", "XDS0503")] * 2


def test_a_replica_that_never_leads_remembers_so_many() -> None:
    told = events.Events(cast("KubeClient", None), "a.test/b", "me")
    for number in range(events._MOST_TOLD + 10):
        told.note(events.Note(ObjectRef("Gateway", "ns", "gw"), "uid", "EnvoyRejected", f"the {number}th"))
    assert len(told._told) == events._MOST_TOLD
    assert len(told._waiting) == events._MOST_WAITING


def test_what_a_cluster_words_anew_is_told_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one Gateway; other Gateways, and what else there is of it, come all the same, and earlier."""
    told = events.Events(cast("KubeClient", None), "a.test/b", "me")
    gateway = ObjectRef("Gateway", "ns", "gw")

    def note(about: ObjectRef, reason: str, text: str) -> None:
        told.note(events.Note(about, "uid", reason, text))

    for text in ("pod a: X", "pods a, b: X", "pods a, b, c: X"):
        note(gateway, "EnvoyNotStarting", text)
    note(gateway, "EnvoyRejected", "no")
    note(gateway._replace(name="other"), "EnvoyNotStarting", "pod d: X")
    note(ObjectRef("HTTPRoute", "ns", "a"), "RefNotPermitted", "no grant")
    said = [("EnvoyRejected", "no"), ("EnvoyNotStarting", "pod a: X"), ("EnvoyNotStarting", "pod d: X")]
    assert [(one.reason, one.text) for one in told._waiting] == [*said, ("RefNotPermitted", "no grant")]
    monkeypatch.setattr(events, "_VARYING_SECONDS", 0.0)
    note(gateway, "EnvoyNotStarting", "pod a: Y")
    assert "pod a: Y" in {one.text for one in told._waiting}


class ApiServer:
    """Takes Events, and remembers where."""

    def __init__(self) -> None:
        self.created: list[tuple[str, str]] = []

    async def create(self, where: str, value: Mapping[str, Any]) -> bytes:
        self.created.append((where, value["regarding"]["kind"]))
        return b"{}"


async def test_where_events_may_not_be_written_they_are_logged() -> None:
    """One on an object without a namespace belongs into `default`, which may be among those that are watched."""
    everywhere, elsewhere = "/apis/events.k8s.io/v1/namespaces/{}/events", []
    for namespaces in ((), ("shop",), ("default", "shop")):
        server = ApiServer()
        told = events.Events(cast("KubeClient", server), "a.test/b", "me", namespaces=namespaces)
        with capture_logs() as lines:
            told.note(events.Note(ObjectRef("GatewayClass", "", "one"), "u1", "StatusRefused", "no"))
            told.note(events.Note(ObjectRef("Gateway", "shop", "gw"), "u2", "EnvoyRejected", "no"))
            task = asyncio.create_task(told.run())
            await until(lambda server=server, lines=lines: len(server.created) + len(lines) == 2)  # type: ignore[misc]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (everywhere.format("shop"), "Gateway") in server.created
        elsewhere.append((everywhere.format("default"), "GatewayClass") in server.created)
        assert [line["event"] for line in lines] == ([] if elsewhere[-1] else ["event"])
    assert elsewhere == [True, False, True]
    assert (lines, list(told._waiting)) == ([], [])
