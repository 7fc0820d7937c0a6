"""HTTPS listeners: which certificate and listener an SNI gets, what is spoken, and Secrets that change or break."""

import ssl

import pytest

from tests.scenarios.certificates import certificate_pem, key_pem
from tests.traffic.client import Answer, connected, http2
from tests.traffic.harness import World
from tests.traffic.tls import certificate_of, trusting

pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSED = (ssl.SSLError, ConnectionError, EOFError)


def secret(name: str, names: str, *, key_of: str = "", crt: str = "") -> str:
    """A Secret whose certificate is for `names`."""
    crt = crt or f"${{cert:{names}}}"
    return f"""
kind: Secret
metadata: {{name: {name}}}
type: kubernetes.io/tls
stringData: {{tls.crt: "{crt}", tls.key: "${{key:{key_of or names}}}"}}
---
"""


def gateway(*listeners: str) -> str:
    """A Gateway; listeners are the insides of flow mappings."""
    return f"""
kind: Gateway
metadata: {{name: gateway}}
spec: {{gatewayClassName: x, listeners: [{", ".join(f"{{{one}}}" for one in listeners)}]}}
---
"""


def https(name: str, secret: str, hostname: str = "", port: int = 443) -> str:
    """The inside of an HTTPS listener."""
    host = f', hostname: "{hostname}"' if hostname else ""
    return f"name: {name}, port: {port}, protocol: HTTPS, tls: {{certificateRefs: [{{name: {secret}}}]}}{host}"


def route(name: str, backend: str, section: str = "") -> str:
    """A catch-all HTTPRoute, for one listener or all."""
    parent = f"name: gateway, sectionName: {section}" if section else "name: gateway"
    rule = f"backendRefs: [{{name: {backend}, port: 8080}}]"
    return (
        f"kind: HTTPRoute\nmetadata: {{name: {name}}}\nspec: {{parentRefs: [{{{parent}}}], rules: [{{{rule}}}]}}\n---\n"
    )


async def get(world: World, sni: str, *, trust: str, host: str = "", port: int = 443) -> Answer:
    """A GET over TLS, the certificate verified against one made for `trust`."""
    async with connected(world.port(port), tls=trusting(trust), server_name=sni) as connection:
        return await connection.get(host=host or sni)


async def test_sni_selects_certificate_and_listener(world: World) -> None:
    await world.serve(
        secret("shop", "shop.example.com"), secret("wild", "*.example.com"), secret("any", "any.org,*.any.org"),
        gateway(
            https("shop", "shop", "shop.example.com"), https("wild", "wild", "*.example.com"), https("any", "any")
        ),
        route("shop", "a", "shop"), route("wild", "b", "wild"), route("any", "c", "any"),
    )  # fmt: skip
    port = world.port(443)
    for sni, names, backend in (
        ("shop.example.com", ["shop.example.com"], "a"),
        ("x.example.com", ["*.example.com"], "b"),
        ("any.org", ["any.org", "*.any.org"], "c"),
    ):
        assert await certificate_of(port, sni) == names
        answer = await get(world, sni, trust=",".join(names))
        assert answer.told["name"] == backend
        assert answer.told["headers"]["X-Forwarded-Proto"] == "https"
    assert await certificate_of(port, "y.x.example.com") == ["*.example.com"]
    assert await certificate_of(port, "SHOP.example.COM") == ["shop.example.com"]
    assert await certificate_of(port, None) == ["any.org", "*.any.org"]


async def test_an_sni_that_no_listener_has_is_refused(world: World) -> None:
    await world.serve(
        secret("shop", "shop.example.com"), gateway(https("shop", "shop", "shop.example.com")), route("shop", "a")
    )
    for sni in ("other.org", "example.com", None):
        with pytest.raises(REFUSED):
            await certificate_of(world.port(443), sni)
    assert (await get(world, "shop.example.com", trust="shop.example.com")).status == 200


async def test_alpn(world: World) -> None:
    await world.serve(secret("any", "example.com"), gateway(https("any", "any")), route("any", "a"))
    for offered, chosen in ((("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), (("x",), None), ((), None)):
        context = trusting("example.com", alpn=offered)
        async with connected(world.port(443), tls=context, server_name="example.com") as connection:
            assert connection.writer.get_extra_info("ssl_object").selected_alpn_protocol() == chosen
            if chosen != "h2":
                assert (await connection.get()).status == 200
    context = trusting("example.com", alpn=("h2",))
    async with http2(world.port(443), tls=context, server_name="example.com") as client:
        answer = await client.get()
        assert (answer.status, answer.told["headers"]["X-Forwarded-Proto"]) == (200, "https")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_versions_of_tls(world: World) -> None:
    await world.serve(secret("any", "example.com"), gateway(https("any", "any")), route("any", "a"))
    for version, spoken in (
        (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)
    ):  # fmt: skip
        context = trusting("example.com")
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        if spoken:
            assert await certificate_of(world.port(443), "example.com", context) == ["example.com"]
        else:
            with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
                await certificate_of(world.port(443), "example.com", context)


async def test_plain_text_on_a_tls_port(world: World) -> None:
    await world.serve(secret("any", "example.com"), gateway(https("any", "any")), route("any", "a"))
    async with connected(world.port(443)) as connection:
        await connection.send(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert await connection.ended()


async def test_http_and_https_on_ports_of_their_own(world: World) -> None:
    await world.serve(
        secret("any", "example.com"),
        gateway("name: http, port: 80, protocol: HTTP", https("https", "any"), https("alt", "any", port=8443)),
        route("plain", "a", "http"), route("secure", "b", "https"), route("alt", "c", "alt"),
    )  # fmt: skip
    assert await world.name("/") == "a"
    assert (await get(world, "example.com", trust="example.com")).told["name"] == "b"
    assert (await get(world, "example.com", trust="example.com", port=8443)).told["name"] == "c"


async def test_a_listener_without_routes_terminates_tls_and_says_404(world: World) -> None:
    await world.serve(secret("any", "example.com"), gateway(https("any", "any")))
    assert (await get(world, "example.com", trust="example.com")).status == 404


async def test_several_certificates_of_one_listener(world: World) -> None:
    """One for ECDSA clients and one per name would be usual: Envoy picks by SNI among them."""
    listener = https("any", "one}, {name: two")
    await world.serve(secret("one", "one.org"), secret("two", "two.org"), gateway(listener), route("any", "a"))
    assert await certificate_of(world.port(443), "one.org") == ["one.org"]
    assert await certificate_of(world.port(443), "two.org") == ["two.org"]


async def test_a_rotated_certificate_is_served_and_open_connections_stay(world: World) -> None:
    await world.serve(secret("any", "example.com"), gateway(https("any", "any")), route("any", "a"))
    port = world.port(443)
    async with connected(port, tls=trusting("example.com"), server_name="example.com") as connection:
        assert (await connection.get()).status == 200
        await world.change(secret("any", "example.com,rotated.example.com"))
        assert await certificate_of(port, "example.com") == ["example.com", "rotated.example.com"]
        assert (await connection.get()).status == 200


@pytest.mark.parametrize("broken", ["garbage", "emptied", "mismatched"])
async def test_a_secret_that_breaks_keeps_its_last_good_certificate(world: World, broken: str) -> None:
    await world.serve(secret("any", "example.com"), gateway(https("any", "any")), route("any", "a"))
    bad = {
        "garbage": secret("any", "example.com", crt="Hello world"),
        "emptied": 'kind: Secret\nmetadata: {name: any}\ntype: kubernetes.io/tls\ndata: {tls.crt: "", tls.key: ""}\n',
        "mismatched": secret("any", "example.com", key_of="other.org"),
    }[broken]
    async with connected(world.port(443), tls=trusting("example.com"), server_name="example.com") as connection:
        await world.change(bad)
        assert (await connection.get()).status == 200
    assert (await get(world, "example.com", trust="example.com")).status == 200
    await world.change(secret("any", "example.com,mended.org"))
    assert await certificate_of(world.port(443), "example.com") == ["example.com", "mended.org"]


@pytest.mark.parametrize(
    "bad", ["", secret("bad", "bad.org", crt="Hello world"), secret("bad", "bad.org", key_of="other.org")]
)
async def test_a_listener_with_a_bad_certificate_harms_no_neighbour(world: World, bad: str) -> None:
    """The Secret is missing, garbage, or has another's key; its listener does not open, and opens once it is good."""
    listeners = gateway(https("good", "good", "good.org"), https("bad", "bad", "bad.org"))
    await world.serve(secret("good", "good.org"), bad, listeners, route("any", "a"))
    port = world.port(443)
    assert (await get(world, "good.org", trust="good.org")).status == 200
    with pytest.raises(REFUSED):
        await certificate_of(port, "bad.org")
    async with connected(port, tls=trusting("good.org"), server_name="good.org") as connection:
        assert (await connection.get(host="good.org")).status == 200
        await world.change(secret("bad", "bad.org"))
        assert (await get(world, "bad.org", trust="bad.org")).status == 200
        assert (await connection.get(host="good.org")).status == 200
    await world.remove("Secret", "bad")


async def test_keys_of_all_kinds(world: World) -> None:
    """What issuers hand out: RSA of two sizes and the curves."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    keys = {
        "rsa-2048": rsa.generate_private_key(65537, 2048), "rsa-3072": rsa.generate_private_key(65537, 3072),
        "p-256": ec.generate_private_key(ec.SECP256R1()), "p-384": ec.generate_private_key(ec.SECP384R1()),
    }  # fmt: skip
    for name, private in keys.items():
        host = f"{name}.org"
        crt, key_ = certificate_pem(host, private).decode(), key_pem(private).decode()
        document = f"kind: Secret\nmetadata: {{name: any}}\nstringData: {{tls.crt: {crt!r}, tls.key: {key_!r}}}\n"
        document = document.replace("'", '"')
        await world.serve(document, gateway(https("any", "any")), route("any", "a"))
        assert await certificate_of(world.port(443), host) == [host], name


async def test_a_deleted_secret_ends_service(world: World) -> None:
    await world.serve(
        secret("gone", "gone.org"), secret("good", "good.org"),
        gateway(https("gone", "gone", "gone.org"), https("good", "good", "good.org")), route("any", "a"),
    )  # fmt: skip
    assert (await get(world, "gone.org", trust="gone.org")).status == 200
    async with connected(world.port(443), tls=trusting("good.org"), server_name="good.org") as connection:
        await world.remove("Secret", "gone")
        with pytest.raises(REFUSED):
            await certificate_of(world.port(443), "gone.org")
        assert (await connection.get(host="good.org")).status == 200
    await world.change(secret("gone", "gone.org"))
    assert (await get(world, "gone.org", trust="gone.org")).status == 200


async def test_the_only_secret_of_a_port_deleted_closes_the_port(world: World) -> None:
    await world.serve(secret("only", "only.org"), gateway(https("only", "only")), route("any", "a"))
    assert (await get(world, "only.org", trust="only.org")).status == 200
    await world.remove("Secret", "only")
    with pytest.raises(REFUSED):
        await certificate_of(world.port(443), "only.org")


async def test_a_secret_of_another_namespace_needs_a_grant(world: World) -> None:
    there = "kind: Namespace\nmetadata: {name: vault}\n---\n" + secret("far", "far.org").replace(
        "{name: far}", "{name: far, namespace: vault}"
    )
    grant = """
kind: ReferenceGrant
metadata: {name: grant, namespace: vault}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: default}]
  to: [{group: "", kind: Secret}]
"""
    await world.serve(there, grant, gateway(https("far", "far, namespace: vault")), route("any", "a"))
    assert (await get(world, "far.org", trust="far.org")).status == 200
    await world.remove("ReferenceGrant", "grant", "vault")
    with pytest.raises(REFUSED):
        await certificate_of(world.port(443), "far.org")
