"""What the API server is asked about tokens, and how often; what it says of real ones, e2e/test_auth.py shows."""

import asyncio
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import pytest

from xds_server.infra.proxies import Proxy
from xds_server.model.meta import Key
from xds_server.shell.kube import tokens
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.tokens import Reviews, TokenAdmission
from xds_server.shell.serve.admission import Denied
from xds_server.xds.node import Node

USER = {
    "username": "system:serviceaccount:ns:account",
    "extra": {"authentication.kubernetes.io/pod-name": ["pod"]},
}
ANSWER = msgspec.json.encode({"status": {"authenticated": True, "audiences": ["here"], "user": USER}})


@dataclass
class Answering:
    """An API server that takes every token for that of one pod."""

    asked: int = 0
    at_once: int = 0
    most: int = 0

    async def create(self, _: str, __: Mapping[str, Any]) -> bytes:
        self.asked += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        return ANSWER


def reviews(server: Answering) -> Reviews:
    return Reviews(cast("KubeClient", server), "here")


async def test_a_token_is_asked_about_once() -> None:
    server = Answering()
    asking = reviews(server)
    await asyncio.gather(*(asking.proven("one") for _ in range(9)))
    await asking.proven("one")
    assert server.asked == 1


async def test_many_tokens_are_asked_about_few_at_once() -> None:
    server = Answering()
    asking = reviews(server)
    await asyncio.gather(*(asking.proven(f"token {number}") for number in range(200)))
    assert (server.asked, server.most) == (200, tokens._MOST_ASKED)


async def test_what_the_api_server_takes_is_good_for_a_while_whatever_our_clock_says() -> None:
    over = urlsafe_b64encode(msgspec.json.encode({"exp": time.time() - 600})).decode()
    found = await reviews(Answering()).proven(f"head.{over}.signature")
    assert 50 < found.until - time.time() <= 60


async def test_the_account_has_to_be_that_of_the_pod() -> None:
    row = Proxy((Key("ns", "gw"),), (), "account", terminating=False)
    node = Node("gateway~pod.ns", "ns/gw", "gateway", "pod.ns", "ns", "gw")
    shown = [("authorization", "Bearer token")]
    pods = {Key("ns", "pod"): row}
    admission = TokenAdmission(cast("KubeClient", Answering()), "here", pods.get)
    assert (await admission.admit(node, shown)).gateways == row.gateways
    pods[Key("ns", "pod")] = Proxy(row.gateways, (), "another", terminating=False)
    with pytest.raises(Denied, match="has ServiceAccount another, the token is of account"):
        await admission.admit(node, shown)
