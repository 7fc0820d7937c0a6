"""An API server that has some documents, and rights for some of them: it answers over HTTP, so that verbs run whole."""

import json
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from xds_server.model.kinds import KINDS
from xds_server.shell.kube.provisioned import MADE

Json = Mapping[str, Any]
PLURALS = {
    **{row.kind: (row.api_version, row.plural) for row in KINDS},
    **{one.kind: (one.api_version, one.plural) for one in MADE.values()},
    "Lease": ("coordination.k8s.io/v1", "leases"),
}
KUBECONFIG = """\
current-context: here
contexts: [{{name: here, context: {{cluster: c, user: u, namespace: mine}}}}]
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{}}}}]
"""


class Where(NamedTuple):
    """What a path names; `name` is empty for a list, `plural` too for what a version has."""

    api_version: str
    plural: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class ApiServer:
    """It serves every kind that is read in its newest version. `forbidden` are plurals that may not be listed in the
    whole cluster; in one of `own` namespaces everything may be.
    """

    documents: Collection[Json] = ()
    forbidden: Collection[str] = ()
    own: Collection[str] = ()
    methods: set[str] = field(default_factory=set)
    """Of the requests that came."""

    def answer(self, target: str) -> tuple[int, Json]:
        """Status code and body of a GET."""
        url = urlsplit(target)
        where = _parsed(url.path)
        if not where.plural:
            names = [plural for version, plural in PLURALS.values() if version == where.api_version]
            return (200, {"resources": [{"name": one} for one in names]}) if names else _status(404, target)
        if (where.api_version, where.plural) not in PLURALS.values():
            return _status(404, target)
        if where.plural in self.forbidden and where.namespace not in self.own:
            return _status(403, _refusal(where))
        found = [one for one in self.documents if _is_in(one, where)]
        if where.name:
            return (200, found[0]) if found else _status(404, target)
        selector = dict(
            one.split("=") for one in parse_qs(url.query).get("labelSelector", ()) for one in one.split(",")
        )
        items = [one for one in found if selector.items() <= one["metadata"].get("labels", {}).items()]
        return 200, {"metadata": {"resourceVersion": "1"}, "items": items}


def _parsed(path: str) -> Where:
    words = path.strip("/").split("/")
    size = 2 if words[0] == "api" else 3
    api_version, rest = "/".join(words[1:size]), words[size:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    plural, name = (*rest, "", "")[:2]
    return Where(api_version, plural, namespace, name)


def _is_in(document: Json, where: Where) -> bool:
    metadata = document["metadata"]
    return (
        PLURALS[document["kind"]] == (where.api_version, where.plural)
        and where.namespace in ("", metadata.get("namespace"))
        and where.name in ("", metadata["name"])
    )


def _refusal(where: Where) -> str:
    group = where.api_version.rpartition("/")[0]
    scope = f'in the namespace "{where.namespace}"' if where.namespace else "at the cluster scope"
    name = f"{where.plural}.{group}".rstrip(".")
    return f'{name} is forbidden: User "u" cannot list resource "{where.plural}" in API group "{group}" {scope}'


def _status(code: int, message: str) -> tuple[int, Json]:
    return code, {"kind": "Status", "code": code, "message": message}


@contextmanager
def serving(server: ApiServer, folder: Path) -> Iterator[Path]:
    """The kubeconfig of a server that answers; its context's namespace is `mine`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.methods.add(self.command)
            code, body = server.answer(self.path)
            text = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_PATCH = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 (names of http.server)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG.format(port=http.server_address[1]))
        try:
            yield kubeconfig
        finally:
            http.shutdown()
            thread.join()
