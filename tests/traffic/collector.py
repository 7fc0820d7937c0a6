"""A collector of spans: OTLP over gRPC, the spans decoded as far as tests ask.

Field numbers are those of opentelemetry-proto 1.x: ExportTraceServiceRequest.resource_spans, ResourceSpans.scope_spans,
ScopeSpans.spans, Span.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass(frozen=True)
class Span:
    """One span. Ids are in hexadecimal; attributes are texts, those of other types are left out."""

    trace: str
    parent: str
    name: str
    service: str
    attributes: dict[str, str]


@dataclass
class Collector:
    """What has been exported, and with which metadata."""

    address: str = ""
    spans: list[Span] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, collector: Collector) -> None:
        self.collector = collector

    def service(self, handler_call_details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self.export) if handler_call_details.method == METHOD else None

    async def export(self, request: bytes, context: Any) -> bytes:
        self.collector.spans += _spans(request)
        self.collector.metadata.append(dict(context.invocation_metadata()))
        return b""


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on a free port of 127.0.0.1."""
    collector = Collector()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handler(collector),))
    collector.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)


def _spans(request: bytes) -> Iterator[Span]:
    for resource_spans in _all(request, 1):
        resource = dict(_pairs(next(iter(_all(resource_spans, 1)), b""), 1))
        for scope_spans in _all(resource_spans, 2):
            for span in _all(scope_spans, 2):
                yield Span(
                    trace=next(iter(_all(span, 1))).hex(),
                    parent=next(iter(_all(span, 4)), b"").hex(),
                    name=next(iter(_all(span, 5))).decode(),
                    service=resource.get("service.name", ""),
                    attributes=dict(_pairs(span, 9)),
                )


def _pairs(message: bytes, number: int) -> Iterator[tuple[str, str]]:
    for pair in _all(message, number):
        for value in _all(pair, 2):
            for text in _all(value, 1):
                yield next(iter(_all(pair, 1))).decode(), text.decode()


def _all(message: bytes, wanted: int) -> list[bytes]:
    """The values of a field that is a text, bytes or a message."""
    found, at = [], 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            _, at = _varint(message, at)
            continue
        length, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        if number == wanted and kind == 2:
            found.append(message[at : at + length])
        at += length
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
