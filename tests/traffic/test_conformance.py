"""What tests of the Gateway API's conformance suite send through a Gateway, where no other test here does the same."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import yaml
from grpc import StatusCode

from tests.traffic.authority import Authority
from tests.traffic.client import connected
from tests.traffic.grpc_backend import client, grpc_backend
from tests.traffic.harness import World, endpoints, service
from tests.traffic.tls import trusting
from tests.traffic.tls_backend import tls_backend

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATEWAY = """
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: x
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
---
kind: Secret
metadata: {name: cert}
type: kubernetes.io/tls
stringData: {tls.crt: "${cert:abc.example.com}", tls.key: "${key:abc.example.com}"}
---
"""
OURS, FOREIGN = Authority("ours"), Authority("foreign")
ABC = "abc.example.com"
OTHER = "kind: Namespace\nmetadata: {name: other}\n---\n"


@pytest_asyncio.fixture(loop_scope="module", scope="module", autouse=True)
async def backends(world: World) -> AsyncIterator[None]:
    """Services one, two and three for gRPC; secure for gRPC over TLS and tls for HTTP over TLS, both of abc."""
    async with (
        grpc_backend("one") as one,
        grpc_backend("two") as two,
        grpc_backend("three") as three,
        grpc_backend("secure", OURS.issue(ABC)) as secure,
        tls_backend("tls", OURS.issue(ABC)) as tls,
    ):
        found = {"one": one.address, "two": two.address, "three": three.address, "tls": tls}
        same = dict.fromkeys(("right", "wrong-host", "wrong-authority"), secure.address)
        await world.change(*(service(name, [address]) for name, address in (found | same).items()))
        yield


def gateway(*listeners: str, name: str = "gateway") -> str:
    """A Gateway; listeners are the insides of flow mappings."""
    entries = ", ".join(f"{{{one}}}" for one in listeners)
    return f"kind: Gateway\nmetadata: {{name: {name}}}\nspec: {{gatewayClassName: x, listeners: [{entries}]}}\n---\n"


def http(name: str, hostname: str = "", port: int = 80) -> str:
    """The inside of an HTTP listener."""
    host = f', hostname: "{hostname}"' if hostname else ""
    return f"name: {name}, port: {port}, protocol: HTTP{host}"


def route(name: str, backend: str, *parents: str, kind: str = "HTTPRoute", hosts: str = "", created: str = "") -> str:
    """A route for everything; parents are the insides of flow mappings."""
    refs = ", ".join(f"{{{one}}}" for one in parents or ("name: gateway",))
    rule = f"backendRefs: [{{name: {backend}, port: 8080}}]"
    return (
        f"kind: {kind}\nmetadata: {{name: {name}, creationTimestamp: '{created}'}}\n"
        f"spec: {{parentRefs: [{refs}], hostnames: [{hosts}], rules: [{{{rule}}}]}}\n---\n"
    )


def rules(text: str, name: str = "route", more: str = "") -> str:
    """An HTTPRoute; `text` is a YAML list."""
    return f"kind: HTTPRoute\nmetadata: {{name: {name}}}\nspec:\n  {more}\n  rules:\n{text}---\n"


def policy(target: str, hostname: str, ca: str = "ours", kind: str = "ConfigMap") -> str:
    return f"""
kind: BackendTLSPolicy
metadata: {{name: {target}}}
spec:
  targetRefs: [{{group: "", kind: Service, name: {target}}}]
  validation: {{hostname: {hostname}, caCertificateRefs: [{{group: "", kind: {kind}, name: {ca}}}]}}
---
"""


def authorities() -> str:
    """ConfigMaps ours and foreign."""
    maps = [
        {"kind": "ConfigMap", "metadata": {"name": name}, "data": {"ca.crt": one.pem}}
        for name, one in (("ours", OURS), ("foreign", FOREIGN))
    ]
    return yaml.safe_dump_all(maps) + "---\n"


# TLS to backends


async def test_services_of_the_same_pods_have_each_its_policy(world: World) -> None:
    """Not one call comes through where the name or the authority is wrong, though the same Pods serve next door."""
    methods = "".join(
        f"  - matches: [{{method: {{service: echo, method: {method}}}}}]\n    backendRefs: [{{name: {to}, port: 8080}}]\n"
        for method, to in (("Echo", "right"), ("EchoTwo", "wrong-host"), ("EchoThree", "wrong-authority"))
    )
    await world.serve(
        GATEWAY,
        f"kind: GRPCRoute\nmetadata: {{name: route}}\nspec:\n  rules:\n{methods}---\n",
        authorities(),
        policy("right", ABC),
        policy("wrong-host", "mismatch.example.com"),
        policy("wrong-authority", ABC, "foreign"),
    )
    async with client(world.port(), ABC) as call:
        for _ in range(10):
            assert (await call("/echo/Echo")).told["name"] == "secure"
            for method in ("EchoTwo", "EchoThree"):
                assert (await call(f"/echo/{method}")).code is StatusCode.UNAVAILABLE


async def test_tls_ends_and_begins_anew(world: World) -> None:
    """From an HTTPS listener, as from an HTTP one; the names of the two sides have nothing to do with each other."""
    await world.serve(GATEWAY, route("route", "tls"), authorities(), policy("tls", ABC))
    assert (await world.get("/")).told["sni"] == ABC
    async with connected(world.port(443), tls=trusting(ABC), server_name=ABC) as connection:
        assert (await connection.get(host="other.example.org")).told["sni"] == ABC
    await world.serve(GATEWAY, route("route", "tls"), authorities(), policy("tls", "mismatch.example.com"))
    async with connected(world.port(443), tls=trusting(ABC), server_name=ABC) as connection:
        assert {(await connection.get(host=ABC)).status for _ in range(10)} == {503}


async def test_authorities_of_an_unknown_kind(world: World) -> None:
    await world.serve(GATEWAY, route("route", "tls"), authorities(), policy("tls", ABC, kind="Vault"))
    assert {answer.status for answer in await world.many(20, "/")} == {503}


# Listeners and hosts


async def test_the_longest_name_of_a_gateway(world: World) -> None:
    name = ".".join(["g" * 60] * 4) + "." + "g" * 9
    assert len(name) == 253
    await world.serve(gateway(http("http"), name=name), route("route", "a", f"name: {name}"))
    assert await world.name("/", gateway=name) == "a"


async def test_calls_by_the_hostnames_of_listeners(world: World) -> None:
    """Four listeners of one port, the last two of which share a route."""
    hosts = ("bar.com", "foo.bar.com", "*.bar.com", "*.foo.com")
    first, second, third, fourth = (f"name: gateway, sectionName: l{number}" for number in range(4))
    await world.serve(
        gateway(*(http(f"l{number}", host) for number, host in enumerate(hosts))),
        route("one", "one", first, kind="GRPCRoute"),
        route("two", "two", second, kind="GRPCRoute"),
        route("three", "three", third, fourth, kind="GRPCRoute"),
    )
    for host, backend in {
        "bar.com": "one", "foo.bar.com": "two", "baz.bar.com": "three", "boo.bar.com": "three",
        "multiple.prefixes.bar.com": "three", "multiple.prefixes.foo.com": "three",
    }.items():  # fmt: skip
        async with client(world.port(), host) as call:
            assert (await call("/echo/Echo")).told["name"] == backend, host
    for host in ("foo.com", "no.matching.host"):
        async with client(world.port(), host) as call:
            assert (await call("/echo/Echo")).code is StatusCode.UNIMPLEMENTED, host


@pytest.mark.parametrize(
    ("listener", "older", "newer"), [(ABC, "*.example.com", ABC), ("*.example.com", "*.com", "*.example.com")]
)
@pytest.mark.parametrize("kind", ["GRPCRoute", "HTTPRoute"])
async def test_the_newer_route_that_is_written_more_exactly(
    world: World, kind: str, listener: str, older: str, newer: str
) -> None:
    """Though both come to the same host."""
    first, second = ("one", "two") if kind == "GRPCRoute" else ("a", "b")
    old = route("a-older", first, kind=kind, hosts=f'"{older}"', created="2023-01-01T00:00:00Z")
    new = route("b-newer", second, kind=kind, hosts=f'"{newer}"', created="2025-01-01T00:00:00Z")

    async def taken() -> str:
        if kind == "HTTPRoute":
            return await world.name("/", host=ABC)
        async with client(world.port(), ABC) as call:
            return str((await call("/echo/Echo")).told["name"])

    await world.serve(gateway(http("http", listener)), old)
    assert await taken() == first
    await world.change(new)
    assert {await taken() for _ in range(5)} == {second}
    await world.remove(kind, "b-newer")


async def test_the_hostname_counts_before_paths_and_headers(world: World) -> None:
    """A path that is longer, or headers, do not help the wider route; it has what the exact one does not match."""
    wide = rules(
        '  - matches: [{path: {value: /path/prefix}, headers: [{name: Header-B, value: B}]}]\n'
        "    backendRefs: [{name: a, port: 8080}]\n", "a-older", 'hostnames: ["*.example.com"]'
    )  # fmt: skip
    exact = rules(
        "  - matches: [{path: {value: /path}, headers: [{name: Header-A, value: A}]}]\n"
        "    backendRefs: [{name: b, port: 8080}]\n", "b-newer", f"hostnames: [{ABC}]"
    )  # fmt: skip
    await world.serve(gateway(http("http", ABC)), wide, exact)
    a, b = {"Header-A": "A"}, {"Header-B": "B"}
    assert await world.name("/path/prefix/longer", host=ABC, headers=a | b) == "b"
    assert await world.name("/path/prefix/longer", host=ABC, headers=b) == "a"
    assert await world.status("/path", host=ABC, headers=b) == 404


async def test_ports_and_sections_of_parents(world: World) -> None:
    """One host on three ports; by port, and by port and section."""
    foo, bar = "foo.com", "bar.com"
    await world.serve(
        gateway(
            http("l1", foo), http("l2", foo, 8080), http("l3", bar, 8080), http("l4", foo, 8090), http("l5", bar, 8090)
        ),
        route("a", "a", "name: gateway, port: 80"),
        route("b", "b", "name: gateway, port: 8080"),
        route("c", "c", "name: gateway, port: 8090, sectionName: l4"),
    )
    for host, port, name in (
        (foo, 80, "a"), (bar, 80, "404"), (foo, 8080, "b"), (bar, 8080, "b"), (foo, 8090, "c"), (bar, 8090, "404")
    ):  # fmt: skip
        assert await world.name("/", host=host, port=port) == name, (host, port)


# Routes


async def test_rules_of_two_routes_with_overlapping_hosts(world: World) -> None:
    """The rules have names, which change nothing."""
    await world.serve(
        GATEWAY,
        rules(
            "  - name: everything\n    matches: [{path: {value: /}}, {headers: [{name: version, value: one}]}]\n"
            "    backendRefs: [{name: a, port: 8080}]\n", "part1", "hostnames: [example.com, example.net]"
        ),
        rules(
            "  - name: second-version\n    matches: [{path: {value: /v2}}, {headers: [{name: version, value: two}]}]\n"
            "    backendRefs: [{name: b, port: 8080}]\n", "part2", "hostnames: [example.com]"
        ),
    )  # fmt: skip
    for host, path, version, name in (
        ("example.com", "/", "", "a"), ("example.com", "/example", "", "a"), ("example.net", "/example", "", "a"),
        ("example.com", "/example", "one", "a"), ("example.com", "/v2", "", "b"), ("example.net", "/v2", "", "a"),
        ("example.com", "/v2/example", "", "b"), ("example.com", "/", "two", "b"), ("example.com", "/v2x", "", "a"),
    ):  # fmt: skip
        headers = {"Version": version} if version else {}
        assert await world.name(path, host=host, headers=headers) == name, (host, path, version)


async def test_a_rewrite_of_the_only_backend(world: World) -> None:
    def rule(path: str, change: str) -> str:
        return (
            f"  - matches: [{{path: {{value: {path}}}}}]\n    backendRefs:\n    - name: a\n      port: 8080\n"
            f"      filters: [{{type: URLRewrite, urlRewrite: {{path: {change}}}}}]\n"
        )

    await world.serve(
        GATEWAY,
        rules(
            rule("/full/original", "{type: ReplaceFullPath, replaceFullPath: /rewritten-full}")
            + rule("/prefix", "{type: ReplacePrefixMatch, replacePrefixMatch: /rewritten-prefix}")
        ),
    )
    for path, seen in (
        ("/full/original", "/rewritten-full"), ("/full/original?q=1", "/rewritten-full?q=1"),
        ("/prefix/original", "/rewritten-prefix/original"), ("/prefix", "/rewritten-prefix"),
    ):  # fmt: skip
        assert (await world.get(path)).told["path"] == seen


async def test_one_rule_lacks_a_grant(world: World) -> None:
    await world.serve(
        GATEWAY,
        OTHER,
        service("far", [world.backends["a"]], namespace="other"),
        rules(
            "  - {matches: [{path: {value: /far}}], backendRefs: [{name: far, namespace: other, port: 8080}]}\n"
            "  - {matches: [{path: {value: /near}}], backendRefs: [{name: b, port: 8080}]}\n"
        ),
    )
    assert (await world.status("/far"), await world.name("/near")) == (500, "b")


async def test_services_without_selector_and_without_address(world: World) -> None:
    """Endpoints are found by slices alone: made by hand, at first without any, in both families; of headless Services."""
    manual = """
kind: Service
metadata: {name: manual}
spec: {ports: [{name: first-port, port: 8080, targetPort: 3000}]}
---
kind: EndpointSlice
metadata: {name: manual-4, labels: {kubernetes.io/service-name: manual}}
addressType: IPv4
ports: [{name: first-port, port: PORT}]
ENDPOINTS
---
kind: EndpointSlice
metadata: {name: manual-6, labels: {kubernetes.io/service-name: manual}}
addressType: IPv6
ports: [{name: first-port, port: PORT}]
---
"""
    host, _, port = world.backends["a"].rpartition(":")
    headless = service("headless", []).replace("spec:\n", "spec:\n  clusterIP: None\n")
    of_headless = endpoints("headless-1", [world.backends["b"]], service="headless")
    await world.serve(
        GATEWAY,
        manual.replace("PORT", port).replace("ENDPOINTS", ""),
        headless,
        of_headless,
        rules(
            "  - {matches: [{path: {value: /manual}}], backendRefs: [{name: manual, port: 8080}]}\n"
            "  - {matches: [{path: {value: /headless}}], backendRefs: [{name: headless, port: 8080}]}\n"
        ),
    )
    assert (await world.status("/manual"), await world.name("/headless")) == (503, "b")
    await world.change(manual.replace("PORT", port).replace("ENDPOINTS", f"endpoints: [{{addresses: [{host}]}}]"))
    assert await world.name("/manual") == "a"


# ListenerSets


async def test_routes_of_a_gateway_and_two_sets(world: World) -> None:
    """With and without a section; a parentRef to the Gateway never reaches a set's listeners, nor one set the other's."""

    def parent(name: str, section: str = "") -> str:
        kind = "" if name == "gateway" else "kind: ListenerSet, "
        return f"{kind}name: {name}" + (f", sectionName: {section}" if section else "")

    def listeners(of: str) -> list[str]:
        return [http("one", f"one.{of}.com"), http("two", f"two.{of}.com")]

    def set_(name: str) -> str:
        entries = ", ".join(f"{{{one}}}" for one in listeners(name))
        return f"kind: ListenerSet\nmetadata: {{name: {name}}}\nspec: {{parentRef: {{name: gateway}}, listeners: [{entries}]}}\n---\n"

    owners = ("gateway", "first", "second")
    allowing = gateway(*listeners("gateway")).replace(
        "spec: {", "spec: {allowedListeners: {namespaces: {from: Same}}, "
    )
    routes = {
        f"{owner}{f'-{section}' if section else ''}": parent(owner, section)
        for owner in owners
        for section in ("", "two")
    }
    documents = [
        rules(
            f"  - {{matches: [{{path: {{value: /{name}}}}}], backendRefs: [{{name: a, port: 8080}}]}}\n",
            name,
            f"parentRefs: [{{{reference}}}]",
        )
        for name, reference in routes.items()
    ]
    await world.serve(allowing, set_("first"), set_("second"), *documents)
    seen = {
        (name, f"{section}.{owner}.com")
        for name in routes for owner in owners for section in ("one", "two")
        if await world.status(f"/{name}", host=f"{section}.{owner}.com") == 200
    }  # fmt: skip
    assert seen == {
        *((owner, f"{section}.{owner}.com") for owner in owners for section in ("one", "two")),
        *((f"{owner}-two", f"two.{owner}.com") for owner in owners),
    }
