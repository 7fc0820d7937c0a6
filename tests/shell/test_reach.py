"""What is printed for people to try."""

from tests.pipeline.documents import authorities, gateway, listener, put, route, rule, secret
from tests.pipeline.documents import document as doc
from xds_server.infra.binding import Port
from xds_server.model.meta import Key
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.shell.reach import lines

PORTS = {Port(80): 8080, Port(443): 8443, Port(444): 8444, Port(445): 8445}


def _validation(mode: str) -> dict[str, object]:
    reference = {"group": "", "kind": "ConfigMap", "name": "ca"}
    return {"validation": {"caCertificateRefs": [reference], "mode": mode}}


def test_where_a_client_has_to_show_a_certificate_the_command_says_so() -> None:
    pipeline = build(Options(any_class=True, strict=True))
    tls = {"certificateRefs": [{"name": "cert"}]}
    one = gateway(
        "gw",
        listener("http"),
        listener("asked", 443, protocol="HTTPS", tls=tls),
        listener("open", 444, protocol="HTTPS", tls=tls),
        listener("bytes", 445, protocol="TLS", tls={"mode": "Terminate", **tls}),
    )
    one["spec"]["tls"] = {
        "frontend": {
            "default": _validation("AllowValidOnly"),
            "perPort": [{"port": 444, "tls": _validation("AllowInsecureFallback")}],
        }
    }
    spec = {"parentRefs": [{"name": "gw", "sectionName": "bytes"}], "hostnames": ["b.e.com"]}
    stream = doc("TLSRoute", "b", {**spec, "rules": [{"backendRefs": [{"name": "s", "port": 80}]}]})
    put(pipeline, secret("cert", "e.com"), authorities("ca", "ca.e.com"), one, stream)
    put(pipeline, route("a", rules=[rule("/x")]))
    pipeline.settle()
    told = lines(pipeline, Key("default", "gw"), "127.0.0.1", PORTS)
    assert set(told) == {
        "curl http://127.0.0.1:8080/x",
        "curl --cert CLIENT.crt --key CLIENT.key -k https://127.0.0.1:8443/x",
        "curl -k https://127.0.0.1:8444/x",
        "openssl s_client -connect 127.0.0.1:8445 -servername b.e.com -cert CLIENT.crt -key CLIENT.key",
    }
