"""What is worth an Event; that they are written, e2e/test_events.py shows."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from structlog.testing import capture_logs

from xds_server.model.meta import ObjectRef
from xds_server.semantics.checks.catalog import CHECKS
from xds_server.shell.kube import events
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.events import reason_of


def test_every_code_is_one() -> None:
    assert set(events._REASONS) <= CHECKS.keys()


def test_what_people_wrote_themselves_is_told_by_statuses_alone() -> None:
    assert reason_of("XDS0601", "no such listener") is None
    assert reason_of("XDS0891", "rules[0] was rejected by Envoy: no") == "EnvoyRejected"


def test_a_certificate_that_expired_says_so() -> None:
    assert reason_of("XDS0509", "Secret a/b: expired on 2026-01-01 at 00:00 UTC") == "CertificateExpired"
    assert reason_of("XDS0506", "Secret a/b: tls.crt does not parse") == "CertificateUnusable"


def test_a_replica_that_never_leads_remembers_so_many() -> None:
    told = events.Events(cast("KubeClient", None), "a.test/b", "me")
    for number in range(events._MOST_TOLD + 10):
        told.note(events.Note(ObjectRef("Gateway", "ns", "gw"), "uid", "EnvoyRejected", f"the {number}th"))
    assert len(told._told) == events._MOST_TOLD
    assert len(told._waiting) == events._MOST_WAITING


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
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (everywhere.format("shop"), "Gateway") in server.created
        elsewhere.append((everywhere.format("default"), "GatewayClass") in server.created)
        assert [line["event"] for line in lines] == ([] if elsewhere[-1] else ["event"])
    assert elsewhere == [True, False, True]
    assert (lines, told._waiting) == ([], {})
