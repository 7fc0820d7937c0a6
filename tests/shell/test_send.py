"""What comes back of a request, and how it is compared with what was predicted."""

import pytest

from tests.pipeline.documents import gateway, listener, put
from xds_server.model.meta import Key
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.pipeline.prediction import Answer, BackendStep, FilterStep, ListenerStep, Prediction, RuleStep, Source
from xds_server.shell.send import Received, Target, compare, local_target

BACKEND = Answer("backend")
FAILING = (BackendStep("Service a/b port 80", 50, problem="no endpoint takes traffic"),)


@pytest.mark.parametrize(
    ("answer", "received", "differences"),
    [
        (BACKEND, Received("t", 200, from_backend=True), ()),
        (BACKEND, Received("t", 404, from_backend=True), ()),
        (BACKEND, Received("t", 404), ("a backend was to answer",)),
        (BACKEND, Received("t", error="refused"), ("an answer of a backend was expected",)),
        (Answer("response", 404), Received("t", 404), ()),
        (Answer("response", 404), Received("t", 404, from_backend=True), ("Envoy itself was to answer",)),
        (Answer("response", 404), Received("t", 500), ("status 404 was expected",)),
        (Answer("response", 404), Received("t", error="x"), ("404 was expected",)),
        (Answer("redirect", 302, "http://a/"), Received("t", 302, "http://a/"), ()),
        (Answer("redirect", 302, "http://a/"), Received("t", 302, "http://b/"), ("location http://a/ was expected",)),
        (Answer("closed"), Received("t", error="x"), ()),
        (Answer("closed"), Received("t", 200), ("no answer was expected",)),
    ],
)
def test_comparison(answer: Answer, received: Received, differences: tuple[str, ...]) -> None:
    assert compare(Prediction(gateway="g", answer=answer), received).differences == differences


def test_a_share_that_fails_may_answer_either_way() -> None:
    prediction = Prediction(gateway="g", answer=BACKEND, backends=FAILING)
    assert compare(prediction, Received("t", 503)).differences == ()


AUTH = (FilterStep("ExternalAuth"),)


def test_who_is_asked_first_may_answer_for_a_backend() -> None:
    rule = RuleStep(Source("HTTPRoute a/b"), "everything", "*", filters=AUTH)
    prediction = Prediction(gateway="g", answer=BACKEND, rule=rule)
    for mark in (True, False):
        found = compare(prediction, Received("t", 403, from_backend=mark))
        assert found.differences == ()
        assert "or who is asked by ExternalAuth, as predicted" in found.told
    assert (
        compare(prediction, Received("t", 200, from_backend=True)).told == "sent to t: 200 from a backend, as predicted"
    )
    assert compare(prediction, Received("t", 200)).differences == ("a backend was to answer",)


def test_a_client_without_the_certificate_that_is_asked_for() -> None:
    source = Source("Gateway a/b")
    step = ListenerStep(source, 443, "HTTPS", "*", client_certificates="required")
    prediction = Prediction(gateway="g", answer=BACKEND, listener=step)
    refused = Received("t", error="the connection was refused by TLS: x", refused=True)
    assert compare(prediction, refused).told == (
        "sent to t: no answer (the connection was refused by TLS: x), as predicted"
        " (clients have to show a certificate: --cert and --key name one)"
    )
    assert compare(prediction, refused, shown=True).differences == ("an answer of a backend was expected",)
    assert compare(prediction, Received("t", 200, from_backend=True)).differences == (
        "a client without certificate was to be refused",
    )


def test_it_is_told_in_a_line() -> None:
    redirected = compare(
        Prediction(gateway="g", answer=Answer("redirect", 301, "http://a/")), Received("t", 302, "http://a/")
    )
    assert redirected.told == "sent to t: 302 to http://a/ from Envoy itself, NOT as predicted: status 301 was expected"


def test_where_run_serves_a_port() -> None:
    pipeline = program.build(Options(any_class=True, strict=True))
    put(pipeline, gateway("a", listener("web"), listener("alt", 8080)), gateway("b", listener("web")))
    pipeline.settle()
    assert local_target(pipeline, Key("default", "a"), 8080, 8000) == Target("127.0.0.1", 8080)
    assert local_target(pipeline, Key("default", "a"), 80, 8000) == Target("127.0.0.1", 9080)
    assert local_target(pipeline, Key("default", "b"), 80, 8000) == Target("127.0.0.2", 8080)
    assert local_target(pipeline, Key("default", "b"), 443, 8000) is None
    assert str(Target("::1", 80)) == "[::1]:80"
