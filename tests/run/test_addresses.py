"""spec.addresses in the local mode: what is given, what is told of the rest, and what follows a change."""

from pathlib import Path
from typing import Any

from tests.ports import free_port
from tests.run.files import gateway, route, service, write
from tests.run.process import Server, until
from tests.run.traffic import get, until_status


def asking(name: str, port: int, *addresses: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A Gateway with these addresses, and a route from NAME.example.com."""
    document = gateway(name, port)
    document["spec"]["addresses"] = list(addresses)
    return document, route(name, name, f"{name}.example.com")


async def told(server: Server, name: str) -> tuple[list[tuple[str, str]], dict[str, tuple[str, str]]]:
    """The addresses of a Gateway's status with their routability, and its conditions."""
    shown = await server.debug("/debug/status?kind=Gateway")
    status = shown["Gateway"][f"default/{name}"]
    found = {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}
    return [(one["value"], one.get("routability", "")) for one in status.get("addresses", [])], found


async def test_addresses_that_can_be_had_and_others(tmp_path: Path) -> None:
    server, port, other = Server(tmp_path, port_offset=free_port() - 80), free_port(), free_port()
    write(tmp_path / "app.yaml", *service(server.echo))
    write(tmp_path / "far.yaml", *asking("far", port, {"value": "203.0.113.9"}))
    write(tmp_path / "inner.yaml", *asking("inner", other, {"routability": "Cluster"}))
    async with server:
        await until_status(f"http://127.0.0.1:{port}/", "far.example.com", 200)
        await server.says(rf"^ +curl .*far.example.com.* http://127.0.0.1:{port}/")
        addresses, conditions = await told(server, "far")
        assert addresses == []
        assert conditions["Programmed"] == ("False", "AddressNotUsable")
        assert conditions["AddressesAssigned"] == ("False", "NotAssigned")

        addresses, conditions = await told(server, "inner")
        assert (addresses, conditions["Programmed"]) == ([], ("False", "AddressNotAssigned"))
        assert not server.envoys("default/inner")
        assert (await get(f"http://127.0.0.1:{other}/", "inner.example.com")).status == 0

        write(tmp_path / "inner.yaml", *asking("inner", other, {"routability": "Cluster"}, {"value": "127.0.0.7"}))
        await until_status(f"http://127.0.0.7:{other}/", "inner.example.com", 200)

        async def programmed() -> bool:
            return (await told(server, "inner"))[1]["Programmed"] == ("True", "Programmed")

        await until(programmed, "it is programmed")
        addresses, conditions = await told(server, "inner")
        assert addresses == [("127.0.0.7", "")]
        assert conditions["AddressesAssigned"] == ("False", "PartiallyAssigned")

        write(tmp_path / "far.yaml", *asking("far", port))
        await until(lambda: _all_good(server, "far"), "it has what it asks for")
        assert (await told(server, "far"))[0] == [("127.0.0.1", "")]


async def _all_good(server: Server, name: str) -> bool:
    _, conditions = await told(server, name)
    return (
        conditions.get("AddressesAssigned") == ("True", "AddressesAssigned") and conditions["Programmed"][0] == "True"
    )
