"""What a listener shows: which of several certificates, chains, and keys as issuers and tools write them."""

import asyncio
import ssl
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat

from tests.scenarios.certificates import key_pem
from tests.traffic.authority import Authority, Pair
from tests.traffic.client_certificates import client, get
from tests.traffic.harness import World
from tests.traffic.streams import route as stream_route
from tests.traffic.streams import tls as terminating
from tests.traffic.test_tls import gateway, https, route

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Authority("root")
HOST = "shop.example.com"
PARAMETERS = {"p-256": "BggqhkjOPQMBBw==", "p-384": "BgUrgQQAIg=="}
"""The names of the curves, as `openssl ecparam -genkey` writes them before a key."""


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


async def shown(world: World, *, host: str = HOST, ciphers: str = "") -> x509.Certificate:
    """The certificate that a client gets that verifies it; `ciphers` are those of TLS 1.2."""
    context = client(ROOT.pem, newest=not ciphers)
    if ciphers:
        context.set_ciphers(ciphers)
    _, writer = await asyncio.open_connection("127.0.0.1", world.port(443), ssl=context, server_hostname=host)
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(der)
    finally:
        writer.transport.abort()


async def serve(world: World, *pairs: Pair) -> None:
    """An HTTPS listener with these certificates, in this order."""
    names = [f"c{index}" for index in range(len(pairs))]
    secrets = [pair.secret(name) for pair, name in zip(pairs, names, strict=True)]
    await world.serve(*secrets, gateway(https("any", "}, {name: ".join(names))), route("any", "a"))


def serial(pair: Pair) -> int:
    return x509.load_pem_x509_certificate(pair.certificate.encode()).serial_number


async def test_a_client_gets_the_kind_of_certificate_that_it_can_verify(world: World) -> None:
    """RSA and ECDSA for the same host, in either order."""
    pairs = {"RSA": ROOT.issue(HOST, private=rsa_key()), "ECDSA": ROOT.issue(HOST)}
    for order in (("RSA", "ECDSA"), ("ECDSA", "RSA")):
        await serve(world, *(pairs[kind] for kind in order))
        for kind, pair in pairs.items():
            assert (await shown(world, ciphers=f"ECDHE-{kind}-AES128-GCM-SHA256")).serial_number == serial(pair)
        assert (await shown(world)).serial_number == serial(pairs["ECDSA"])


async def test_of_two_of_one_kind_for_one_host_the_first_is_shown(world: World) -> None:
    one, two = ROOT.issue(HOST), ROOT.issue(HOST)
    await serve(world, one, two)
    assert (await shown(world)).serial_number == serial(one)
    await serve(world, two, one)
    assert (await shown(world)).serial_number == serial(two)


async def test_an_exact_name_is_shown_before_a_wildcard_and_the_first_to_everyone_else(world: World) -> None:
    other, wild, exact = ROOT.issue("other.org"), ROOT.issue("*.example.com"), ROOT.issue(HOST)
    await serve(world, other, wild, exact)
    assert (await shown(world)).serial_number == serial(exact)
    assert (await shown(world, host="x.example.com")).serial_number == serial(wild)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        await shown(world, host="unknown.net")


async def test_a_literal_star_is_served(world: World) -> None:
    """No client takes it for a host, but some have been told to look away."""
    await serve(world, ROOT.issue("*", "*.wildcard.org"))
    assert (await shown(world, host="any.wildcard.org")).signature
    lenient = client(ROOT.pem)
    lenient.check_hostname = False
    assert (await get(world.port(443), lenient, HOST)).status == 200


async def test_a_chain_is_shown_whole(world: World) -> None:
    """A client knows the root alone; two authorities are between."""
    below = Authority("two", Authority("one", ROOT))
    pair = below.issue(HOST)
    await serve(world, pair)
    assert (await get(world.port(443), client(ROOT.pem), HOST)).status == 200
    await serve(world, pair.alone)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        await shown(world)


FORMS = ["pkcs8", "traditional", "parameters", "text around", "windows"]


@pytest.mark.parametrize(
    ("kind", "form"),
    [(kind, form) for kind in ("rsa", "p-256", "p-384") for form in FORMS if (kind, form) != ("rsa", "parameters")],
)
async def test_keys_as_tools_write_them(world: World, kind: str, form: str) -> None:
    """PKCS#8 and what came before it, PKCS#1 and SEC 1; what tools write before a key; comments."""
    curves = {"p-256": ec.SECP256R1(), "p-384": ec.SECP384R1()}
    private = rsa_key() if kind == "rsa" else ec.generate_private_key(curves[kind])
    made = ROOT.issue(HOST, private=private)
    older = key_pem(private, form=PrivateFormat.TraditionalOpenSSL).decode()
    certificate, key = made.certificate, made.key
    match form:
        case "traditional":
            key = older
        case "parameters":
            key = f"-----BEGIN EC PARAMETERS-----\n{PARAMETERS[kind]}\n-----END EC PARAMETERS-----\n{older}"
        case "text around":
            certificate, key = f"subject=shop\n{certificate}\nend\n", f"# the key\n{key}\n# no more\n"
        case "windows":
            certificate, key = (text.replace("\n", "\r\n") for text in (certificate, key))
    await serve(world, Pair(certificate.replace("\r", "\\r"), key.replace("\r", "\\r")))
    assert (await shown(world)).serial_number == serial(made)


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "written",
    [
        lambda pair: Pair(_indented(pair.certificate), _indented(pair.key)),
        lambda pair: Pair("\ufeff" + pair.certificate, "\ufeff" + pair.key),
        lambda pair: Pair(pair.certificate + pair.key, pair.certificate + pair.key),
        lambda pair: Pair(pair.certificate.rstrip(), pair.key.rstrip()),
        lambda pair: Pair(pair.certificate.replace("CERTIFICATE", "X509 CERTIFICATE"), pair.key),
        lambda pair: Pair(pair.certificate + pair.certificate, pair.key),
    ],
    ids=["indented", "byte order mark", "both in both", "no last line end", "older name", "twice"],
)
async def test_certificates_as_people_paste_them(world: World, written: Callable[[Pair], Pair]) -> None:
    """Envoy itself refuses what is indented or begins with a mark (kgateway#10151)."""
    made = ROOT.issue(HOST)
    await serve(world, written(made))
    assert (await shown(world)).serial_number == serial(made)


async def test_a_chain_that_was_cut_off_leaves_the_last_good_one(world: World) -> None:
    """Envoy refuses it too, and a new Envoy would have nothing (envoyproxy/gateway#9480)."""
    below = Authority("between", ROOT)
    good, cut = below.issue(HOST), below.issue(HOST)
    await serve(world, good)
    await serve(world, Pair(cut.certificate[:-200], cut.key))
    assert (await shown(world)).serial_number == serial(good)
    await serve(world, cut)
    assert (await shown(world)).serial_number == serial(cut)


async def test_one_certificate_many_times(world: World) -> None:
    """A name twice in it; in two Secrets of one listener; one Secret named twice, and by a TLS listener for the same
    host on another port (envoyproxy/gateway#9471 and #8928).
    """
    made = ROOT.issue(HOST, HOST)
    await serve(world, made)
    assert (await shown(world)).serial_number == serial(made)
    await serve(world, made, made)
    assert (await shown(world)).serial_number == serial(made)
    await world.serve(
        made.secret("c"), route("any", "a", "web"),
        gateway(https("web", "c}, {name: c", HOST), terminating("stream", HOST, certificate="c", port=8443)),
        stream_route("TLSRoute", "stream", "b", hosts=[HOST], section="stream"),
    )  # fmt: skip
    for number, name in ((443, "a"), (8443, "b")):
        assert (await get(world.port(number), client(ROOT.pem), HOST)).told["name"] == name


async def test_certificates_without_names(world: World) -> None:
    """An authority without a common name is one, such as GoDaddy's. A certificate that names nobody is refused by Envoy
    and so here: the last good one stays (contour#1965, contour#2372).
    """
    nameless = Authority("", ROOT)
    good = nameless.issue(HOST)
    await serve(world, good)
    assert (await shown(world)).serial_number == serial(good)
    await serve(world, nameless.issue())
    assert (await shown(world)).serial_number == serial(good)
