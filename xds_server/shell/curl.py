"""curl commands that reach the routes of a Gateway, for a person to try."""

import shlex
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from xds_server.model.meta import Key
from xds_server.pipeline.program import Pipeline
from xds_server.routing.listener import Listener, ListenerId
from xds_server.routing.match import Match, PathKind
from xds_server.semantics.attach import Claim

_MOST = 10
_CERTIFICATE, _KEY = "CLIENT.crt", "CLIENT.key"
"""Of the person who tries: listeners may ask clients for theirs."""


def curl_lines(pipeline: Pipeline, gateway: Key, address: str, ports: Mapping[int, int]) -> list[str]:
    """A command per route and host, at most ten. `ports` maps a listener's port to the bound one."""
    lines: list[str] = []
    for claim in pipeline.tables.claims.values():
        if claim.kind == "HTTPRoute" and claim.listener.id.gateway == gateway and claim.listener.port in ports:
            lines += _lines(pipeline, claim, address, ports[claim.listener.port])
    unique = list(dict.fromkeys(lines))
    more = len(unique) - _MOST
    return unique[:_MOST] + ([f"… and {more} more"] if more > 0 else [])


def _lines(pipeline: Pipeline, claim: Claim, address: str, port: int) -> Iterator[str]:
    rules = pipeline.tables.rules.get((claim.kind, claim.route))
    shown = shows_certificate(pipeline, claim.listener.id)
    for rule in rules.rules[:1] if rules else ():
        words = _words(claim.listener, host_of(claim.host), rule.match, address, port)
        more = ["--cert", shown[0], "--key", shown[1]] if shown else []
        yield " ".join(["curl", *map(_quoted, [*more, *words])])


def shows_certificate(pipeline: Pipeline, id_: ListenerId) -> tuple[str, str] | None:
    """The files, by the names that stand for them, that a client needs of whom a listener wants a certificate."""
    point = pipeline.tables.listeners.get(id_)
    clients = point.served.clients if point is not None and point.served is not None else None
    return (_CERTIFICATE, _KEY) if clients is not None and clients.required else None


def host_of(pattern: str) -> str:
    """A host that the pattern stands for; empty for any."""
    if pattern == "*":
        return ""
    return f"www{pattern[1:]}" if pattern.startswith("*.") else pattern


def _words(listener: Listener, host: str, match: Match, address: str, port: int) -> list[str]:
    literal = f"[{address}]" if ":" in address else address
    words: list[str] = []
    if match.method not in (None, "GET"):
        words += ["-X", str(match.method)]
    for header in match.headers:
        if not header.regex:
            words += ["-H", f"{header.name}: {header.value}"]
    path = match.path.value if match.path.kind is not PathKind.REGEX else "/"
    query = "&".join(
        f"{one.name}={quote(one.value, safe='', errors='replace')}" for one in match.query if not one.regex
    )
    path = f"{path}?{query}" if query else path
    if listener.protocol == "https":
        name = host or literal
        words += ["-k", "--resolve", f"{name}:{port}:{address}"] if host else ["-k"]
        words.append(f"https://{name}:{port}{path}")
    else:
        words += ["-H", f"Host: {host}"] if host else []
        words.append(f"http://{literal}:{port}{path}")
    return words


def _quoted(word: str) -> str:
    """As people write it: double quotes where that is enough."""
    quoted = shlex.quote(word)
    return f'"{word}"' if quoted != word and not set(word) & set('"$`\\!') else quoted
