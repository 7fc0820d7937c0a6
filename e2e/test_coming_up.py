"""Envoys that do not come up: what a Gateway's status, an Event and the verbs say, until they do."""

import json
from typing import Any

from e2e.installation import Installation
from e2e.kubectl import condition, eventually
from e2e.test_people import data, xds
from e2e.workloads import Site, gateway, placed
from xds_server.semantics.infrastructure import ENVOY_IMAGE

NO_IMAGE = "127.0.0.1:9/no-such-envoy:1"


def with_image(image: str) -> dict[str, Any]:
    made = gateway("gateway")
    return made | {"metadata": {**made["metadata"], "annotations": {ENVOY_IMAGE: image}}}


def programmed(site: Site, status: str, *words: str, seconds: float = 90.0) -> str:
    """Waits until the condition says all of that; its message."""

    def told() -> str:
        found = condition(site.installed.kubectl.get("gateway", site.gateway, site.namespace), "Programmed")
        assert found.get("status") == status, found
        assert all(word in f"{found['reason']}: {found['message']}" for word in words), found
        return str(found["message"])

    return eventually(told, seconds)


def all_serve(site: Site) -> bool:
    """Whether that is all there is to say; a pod of before may be there for a moment longer."""
    message = programmed(site, "True")
    assert message == "Every connected Envoy has acknowledged this generation.", message
    return True


def codes(site: Site, status: int) -> set[str]:
    return {one["code"] for one in data("check", "-n", site.namespace, status=status)}


def test_an_image_that_cannot_be_pulled_is_told_until_another_is_named(installed: Installation, namespace: str) -> None:
    site = Site(installed, namespace, "gateway", "")
    site.apply(with_image(NO_IMAGE))
    message = programmed(site, "False", "NoResources: No Envoy of this Gateway comes up: pod gateway-", NO_IMAGE)
    (pod,) = site.envoys()
    assert f"pod {pod['metadata']['name']}: container envoy: " in message
    assert "ErrImagePull: " in message
    assert message in xds("status", site.key, status=1)
    assert "XDS0316" in codes(site, 1)

    def event() -> bool:
        (found,) = (
            one
            for one in installed.kubectl.list("events.events.k8s.io", namespace)
            if one["reason"] == "EnvoyNotStarting"
        )
        assert (found["regarding"]["kind"], found["type"]) == ("Gateway", "Warning")
        return "ErrImagePull" in found["note"]

    eventually(event)
    site.apply(with_image(site.installed.images.envoy))
    eventually(lambda: all_serve(site))
    assert not codes(site, 0) & {"XDS0316", "XDS0317"}


def test_a_rollout_that_fails_is_told_and_the_old_envoy_serves(site: Site) -> None:
    (old,) = site.ready_envoys()
    site.apply(with_image("No/Such:Image:Name"))
    message = programmed(site, "True", "Some Envoys of this Gateway do not come up: pod gateway-", "InvalidImageName")
    assert site.ready_envoys() == [old]
    assert message in xds("status", site.key, status=1)
    assert "XDS0317" in codes(site, 0)
    site.apply(with_image(site.installed.images.envoy))
    eventually(lambda: all_serve(site))
    assert xds("status", site.key)


def test_no_replicas_and_no_quota_are_told(site: Site) -> None:
    kubectl = site.installed.kubectl
    kubectl("scale", "deployment/gateway", f"--namespace={site.namespace}", "--replicas=0")
    message = programmed(site, "False", f"Deployment {site.namespace}/gateway has 0 replicas")
    assert message in xds("status", site.key, status=1)
    assert message in {one["message"] for one in data("check", "-n", site.namespace, status=1)}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    kubectl.apply(*placed(site.namespace, [quota]))
    eventually(lambda: kubectl.get("resourcequota", "none", site.namespace)["status"]["hard"]["pods"])
    eventually(lambda: not site.envoys())
    kubectl("scale", "deployment/gateway", f"--namespace={site.namespace}", "--replicas=1")
    message = programmed(site, "False", "FailedCreate: ", "exceeded quota: none")
    assert message in json.dumps(data("status", site.key, status=1)).replace('\\"', '"')
    kubectl.delete("resourcequota", "none", f"--namespace={site.namespace}")
    kubectl("rollout", "restart", "deployment/gateway", f"--namespace={site.namespace}")
    eventually(lambda: all_serve(site))
