"""What is worth an Event; that they are written, e2e/test_events.py shows."""

from typing import cast

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
