"""Sends a request that was predicted, and compares what comes back.

In: a request and where to. Out: a status, or why there was none. Certificates are not verified: the question is which
way the request goes. Envoy's router marks what a backend answered by x-envoy-upstream-service-time.
"""

import ssl
from dataclasses import dataclass

import aiohttp
from yarl import URL

from xds_server.infra.binding import Port, allocate
from xds_server.model.meta import Key
from xds_server.pipeline.prediction import Prediction
from xds_server.pipeline.program import Pipeline
from xds_server.routing.request import Request
from xds_server.shell.local import wanted

_SECONDS = 15.0
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
    """What came back; `error` where no answer did. `from_backend`: Envoy says that a backend answered."""

    target: str
    status: int | None = None
    location: str = ""
    from_backend: bool = False
    error: str = ""

    def __str__(self) -> str:
        if self.status is None:
            return f"no answer ({self.error})"
        where = "a backend" if self.from_backend else "Envoy itself"
        return f"{self.status}{f' to {self.location}' if self.location else ''} from {where}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came back beside what was predicted."""

    received: Received
    differences: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """In a line."""
        verdict = f"NOT as predicted: {'; '.join(self.differences)}" if self.differences else "as predicted"
        return f"sent to {self.received.target}: {self.received}, {verdict}"


def local_target(pipeline: Pipeline, gateway: Key, port: int, port_offset: int) -> Target | None:
    """Where `run` serves a listener's port on this machine; None where it does not."""
    binding = allocate(wanted(pipeline), {}, lambda _: None, port_offset=port_offset).get(gateway)
    bound = binding.ports.get(Port(port)) if binding else None
    return Target(binding.address, bound) if binding and bound else None


async def send(request: Request, target: Target) -> Received:
    """Sends it over HTTP/1.1, with these headers and Host alone."""
    url = URL(f"{request.scheme}://{target}{request.path}", encoded=True)
    tls: ssl.SSLContext | bool = True
    if request.secure:
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    try:
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            ) as session,
            session.request(
                request.method,
                url,
                headers=[("Host", request.authority), *request.headers],
                allow_redirects=False,
                ssl=tls,
                server_hostname=request.sni or None,
            ) as response,
        ):
            location = response.headers.get("location", "")
            return Received(str(target), response.status, location, _MARK in response.headers)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return Received(str(target), error=str(error) or type(error).__name__)


def compare(prediction: Prediction, received: Received) -> Comparison:
    """What differs. A backend may answer whatever it likes; which rule it was, an answer does not tell."""
    return Comparison(received, tuple(_differences(prediction, received)))


def _differences(prediction: Prediction, received: Received) -> list[str]:
    answer = prediction.answer
    if answer.kind == "closed":
        return [] if received.status is None else ["no answer was expected"]
    if received.status is None:
        return [f"{answer.status or 'an answer of a backend'} was expected"]
    failing = any(one.share and one.problem for one in prediction.backends)
    if answer.kind == "backend":
        return [] if received.from_backend or failing else ["a backend was to answer"]
    found = []
    if received.from_backend:
        found.append("Envoy itself was to answer")
    if received.status != answer.status:
        found.append(f"status {answer.status} was expected")
    if answer.kind == "redirect" and received.location != answer.location:
        found.append(f"location {answer.location} was expected")
    return found
