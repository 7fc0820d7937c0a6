"""The HTTP endpoint itself: where it listens, whom it answers, how it refuses."""

import socket
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from xds_server.shell.endpoint import Endpoint, Page, Refused, json_response
from xds_server.shell.serve.server import BindError

OPTION = "--admin-address"


async def echo(parameters: Mapping[str, str]) -> web.Response:
    if parameters.get("a") == "no":
        raise Refused(409, 'not "this"\nnow')
    if parameters.get("a") == "break":
        raise ValueError("hidden")
    return json_response(dict(parameters))


def endpoint() -> Endpoint:
    return Endpoint(
        "a test", [Page("/page", "says back", echo, {"a": "anything"}), Page("/any", "", echo, None)], option=OPTION
    )


@pytest.fixture
async def url() -> AsyncIterator[str]:
    served = endpoint()
    yield f"http://{await served.start('127.0.0.1:0')}"
    await served.stop()


async def answer(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    async with aiohttp.request(method, url, headers=headers) as response:
        assert response.headers["Cache-Control"] == "no-store"
        return response.status, await response.text()


async def test_pages_get_their_parameters(url: str) -> None:
    assert await answer(f"{url}/page?a=b%20c") == (200, '{\n "a": "b c"\n}\n')
    assert await answer(f"{url}/page") == (200, "{}\n")
    assert await answer(f"{url}/any?whatever=1") == (200, "{}\n")


async def test_refusals_are_one_line_of_json(url: str) -> None:
    assert await answer(f"{url}/page?a=no") == (409, '{"error":"not \\"this\\"\\nnow"}\n')
    assert await answer(f"{url}/page?b=1") == (400, '{"error":"unknown parameter \'b\'; known are a"}\n')
    assert await answer(f"{url}/page?a=1&a=2") == (400, '{"error":"parameter \'a\' is given more than once"}\n')
    assert await answer(f"{url}/else") == (404, '{"error":"there is no /else; known are /, /page, /any"}\n')
    assert await answer(f"{url}/page", "POST") == (405, '{"error":"POST is not answered; everything here is GET"}\n')


async def test_a_page_that_fails_says_so_and_the_log_says_why(url: str) -> None:
    with capture_logs() as logged:
        found = await answer(f"{url}/page?a=break")
    assert found == (500, '{"error":"this page failed with ValueError; the log says more"}\n')
    assert [(one["event"], one["path"], one["exc_info"]) for one in logged] == [("page failed", "/page", True)]
    assert (await answer(f"{url}/page"))[0] == 200


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:18001", "127.0.0.1:1", "[::1]:1", "[::1]", "10.0.0.7", "a.localhost"]
)
async def test_this_machine_is_answered(url: str, host: str) -> None:
    assert (await answer(f"{url}/any", Host=host))[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:18001", "127.0.0.1.evil.example", "localhost.evil"])
async def test_a_page_that_rebinds_its_name_to_loopback_reads_nothing(url: str, host: str) -> None:
    status, text = await answer(f"{url}/any", Host=host)
    assert status == 403
    assert host in text


async def test_it_can_listen_on_ipv6() -> None:
    served = endpoint()
    bound = await served.start("[::1]:0")
    assert bound.startswith("[::1]:")
    assert (await answer(f"http://{bound}/any"))[0] == 200
    await served.stop()


async def test_an_address_that_is_taken_is_named_with_what_to_do() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        with pytest.raises(BindError) as caught:
            await endpoint().start(address)
    assert str(caught.value) == (
        f"cannot listen on {address}: address already in use; end what listens there, or give another with {OPTION}"
    )


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("203.0.113.9:18001", "cannot assign requested address; give another"),
        ("18001", f"{OPTION} is host:port"),
        (":18001", f"{OPTION} is host:port"),
        ("127.0.0.1:http", f"{OPTION} is host:port"),
        ("127.0.0.1:70000", f"{OPTION} is host:port"),
        ("nothing.invalid:1", "name"),
    ],
)
async def test_an_address_that_cannot_be_is_named(address: str, words: str) -> None:
    with pytest.raises(BindError, match=words) as caught:
        await endpoint().start(address)
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_failed_start_leaves_nothing_behind() -> None:
    served = endpoint()
    with pytest.raises(BindError):
        await served.start("203.0.113.9:1")
    await served.stop()
    bound = await served.start("127.0.0.1:0")
    await served.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await answer(f"http://{bound}/any")


async def test_leaving_loopback_is_told_and_any_host_is_answered() -> None:
    served = endpoint()
    with capture_logs() as logged:
        bound = await served.start("0.0.0.0:0")
    assert [one["event"] for one in logged] == ["endpoint open to the network"]
    local = bound.replace("0.0.0.0", "127.0.0.1")
    assert (await answer(f"http://{local}/any", Host="metrics.example"))[0] == 200
    await served.stop()
