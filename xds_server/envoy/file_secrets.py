"""Secrets that an Envoy reads from files of its pod: what it trusts its control plane by, and its token.

Both change while it runs, and Kubernetes changes them by swapping a link: Envoy watches the folder, not the file.
Reference: https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/security/secret#example-three-certificate-rotation-for-xds-grpc-connection
"""

import json
from typing import Any, Final

AUTHORITY: Final = "ca"
TOKEN: Final = "token"  # noqa: S105 (a name)
"""The names of the secrets."""
AUTHORITY_DOCUMENT: Final = "ca.yaml"
TOKEN_DOCUMENT: Final = "token.yaml"  # noqa: S105 (a name)
"""The names of the files with the documents below, beside the certificate `AUTHORITY_FILE`."""
AUTHORITY_FILE: Final = "ca.crt"
_SECRET: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 (a type)


def documents(authority_folder: str, token_folder: str, token_file: str) -> dict[str, str]:
    """The documents by file name, for an Envoy that finds its files in these folders."""
    trusted = {
        "validation_context": {
            "trusted_ca": {"filename": f"{authority_folder}/{AUTHORITY_FILE}"},
            "watched_directory": {"path": authority_folder},
        }
    }
    token = {
        "generic_secret": {
            "secret": {
                "filename": f"{token_folder}/{token_file}",
                "watched_directory": {"path": token_folder},
            }
        }
    }
    return {AUTHORITY_DOCUMENT: _document(AUTHORITY, trusted), TOKEN_DOCUMENT: _document(TOKEN, token)}


def _document(name: str, secret: dict[str, Any]) -> str:
    """A DiscoveryResponse as Envoy reads it from a file: YAML, of which JSON is a part."""
    return json.dumps({"resources": [{"@type": _SECRET, "name": name, **secret}]}, indent=1) + "\n"
