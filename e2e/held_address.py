"""An address that the load balancer gives when it is asked for by value."""

import os
from ipaddress import ip_address

import pytest

from e2e.kubectl import Kubectl, eventually

USABLE_ADDRESS = "XDS_USABLE_ADDRESS"
FAR = 90
"""How far from the address that the load balancer chose first one is asked for by value."""


class Held:
    """An address that the load balancer gives, which a Service holds until it is let go: XDS_USABLE_ADDRESS, or one that
    it gives when asked, far from those that others get next. `other` is of the other family, empty where there is none.
    """

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._kubectl, self._namespace = kubectl, namespace
        self._ask(os.environ.get(USABLE_ADDRESS, ""))
        if USABLE_ADDRESS not in os.environ:
            far = str(ip_address(eventually(self._given)[0]) + FAR)
            self._ask(far)
            try:
                eventually(lambda: far in self._given(), 90)
            except AssertionError:
                pytest.skip(f"the load balancer does not give {far}; {USABLE_ADDRESS} says what it gives")
        self.value, self.other, *_ = (*eventually(self._given), "")

    def _ask(self, address: str) -> None:
        wanted = {"loadBalancerIP": address} if address else {}
        spec = {"type": "LoadBalancer", "ipFamilyPolicy": "PreferDualStack", "ports": [{"port": 80}], **wanted}
        metadata = {"name": "holds", "namespace": self._namespace}
        self._kubectl.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})

    def _given(self) -> list[str]:
        ingress = self._kubectl.get("service", "holds", self._namespace)["status"]["loadBalancer"].get("ingress", [])
        return [one["ip"] for one in ingress if one.get("ip")]

    def let_go(self) -> None:
        """Others may have it now."""
        self._kubectl.delete("service", "holds", f"--namespace={self._namespace}")
