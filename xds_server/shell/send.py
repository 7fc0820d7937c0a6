"""Sends a request that was predicted, and compares what comes back.

In: a request and where to. Out: a status, or why there was none. Certificates are not verified: the question is which
way the request goes. Envoy's router marks what a backend answered by x-envoy-upstream-service-time.
"""

import ssl
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from xds_server.infra.binding import Port, allocate
from xds_server.model.meta import Key
from xds_server.model.wording import some
from xds_server.pipeline.prediction import Prediction
from xds_server.pipeline.program import Pipeline
from xds_server.routing.request import Request
from xds_server.shell.local import wanted

_SECONDS = 15.0
_NAMED = 5
_FAILURES = 400
"""The first HTTP status that says that something is wrong."""
_MARK = "x-envoy-upstream-service-time"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Received:
    """What came back; `error` where no answer did, `refused` where TLS was why. `from_backend`: Envoy says that a
    backend answered.
    """

    target: str
    status: int | None = None
    location: str = ""
    from_backend: bool = False
    error: str = ""
    refused: bool = False

    def told(self, asked_first: bool) -> str:
        """In a line; `asked_first` where an authorization service may have answered, which no header tells."""
        if self.status is None:
            return f"no answer ({self.error})"
        where = "a backend" if self.from_backend else "Envoy itself"
        if asked_first and self.status >= _FAILURES:
            where += ", or who is asked by ExternalAuth"
        return f"{self.status}{f' to {self.location}' if self.location else ''} from {where}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came back beside what was predicted."""

    received: Received
    differences: tuple[str, ...] = ()
    asked_first: bool = False
    hint: str = ""
    standing: tuple[str, ...] = ()
    """Objects of which something else than what is written may be served: their last good state, or less of them."""

    @property
    def told(self) -> str:
        """In a line, and one more where what is served may be something else than what is written."""
        verdict = f"NOT as predicted: {'; '.join(self.differences)}" if self.differences else "as predicted"
        hint = f" ({self.hint})" if self.hint else ""
        line = f"sent to {self.received.target}: {self.received.told(self.asked_first)}, {verdict}{hint}"
        return "\n".join([line, *([self._standing] if self.differences and self.standing else [])])

    @property
    def _standing(self) -> str:
        return (
            "predicted from what is written now, which is not served as it is written; a last good state may be served"
            f" instead: {some(self.standing, _NAMED)}"
        )


def local_target(pipeline: Pipeline, gateway: Key, port: int, port_offset: int) -> Target | None:
    """Where `run` serves a listener's port on this machine; None where it does not."""
    binding = allocate(wanted(pipeline), {}, lambda _: None, port_offset=port_offset).get(gateway)
    bound = binding.ports.get(Port(port)) if binding else None
    return Target(binding.address, bound) if binding and bound else None


def client_context(certificate: str, key: str) -> ssl.SSLContext:
    """TLS that verifies nobody, and shows a certificate where a PEM file of one is named. OSError (an ssl.SSLError is
    one) where the files hold no such thing.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, key or None)
    return context


def send(request: Request, target: Target, tls: ssl.SSLContext) -> Received:
    """Sends it over HTTP/1.1, with these headers and Host alone."""
    connection = HTTPConnection(target.host, target.port, timeout=_SECONDS)
    with closing(connection):
        try:
            connection.connect()
            if request.secure:
                connection.sock = tls.wrap_socket(connection.sock, server_hostname=request.sni or None)
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in (("Host", request.authority), *request.headers):
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
        except (HTTPException, OSError) as error:
            return _failed(request, target, error)
    location = response.getheader("location") or ""
    return Received(str(target), response.status, location, response.getheader(_MARK) is not None)


def _failed(request: Request, target: Target, error: Exception) -> Received:
    """With TLS 1.3 a server that does not want a client says so after the handshake, or just closes."""
    text = str(error) or type(error).__name__
    refused = isinstance(error, ssl.SSLError | ConnectionResetError | BrokenPipeError)
    if request.secure and refused:
        return Received(str(target), error=f"the connection was refused by TLS: {text}", refused=True)
    return Received(str(target), error=text)


def compare(prediction: Prediction, received: Received, *, shown: bool = False) -> Comparison:
    """What differs. A backend may answer whatever it likes; which rule it was, an answer does not tell. `shown`: was a
    client certificate?
    """
    steps = (prediction.listener, prediction.rule, *prediction.backends)
    asked_first = any(one.type == "ExternalAuth" for step in steps if step for one in step.filters)
    required = prediction.listener is not None and prediction.listener.client_certificates == "required"
    if required and not shown:
        wrong = () if received.refused else ("a client without certificate was to be refused",)
        return Comparison(received, wrong, asked_first, "clients have to show a certificate: --cert and --key name one")
    return Comparison(received, tuple(_differences(prediction, received, asked_first)), asked_first)


def _differences(prediction: Prediction, received: Received, asked_first: bool) -> list[str]:
    answer = prediction.answer
    if answer.kind == "closed":
        return [] if received.status is None else ["no answer was expected"]
    if received.status is None:
        return [f"{answer.status or 'an answer of a backend'} was expected"]
    failing = any(one.share and one.problem for one in prediction.backends)
    if answer.kind == "backend":
        denied = asked_first and received.status >= _FAILURES
        return [] if received.from_backend or failing or denied else ["a backend was to answer"]
    found = []
    if received.from_backend:
        found.append("Envoy itself was to answer")
    if received.status != answer.status:
        found.append(f"status {answer.status} was expected")
    if answer.kind == "redirect" and received.location != answer.location:
        found.append(f"location {answer.location} was expected")
    return found
