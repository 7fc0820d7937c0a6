"""HTTPPathModifier, shared by redirects and rewrites."""

from typing import Any

from xds_server.model.httproute import HTTPPathModifier
from xds_server.routing.feature import Refused, Surroundings
from xds_server.routing.match import PathKind
from xds_server.routing.path_change import PathChange


def parse(
    spec: HTTPPathModifier, field: str, around: Surroundings[Any], *, location: bool = False
) -> PathChange | Refused:
    """The change, or why it cannot be honoured; `field` is where the modifier stands in its filter.

    A whole path of a `location` may bring a query and a fragment of its own. Nothing else may: what is left of the path
    and the request's query come after it.
    """
    if spec.type not in ("ReplaceFullPath", "ReplacePrefixMatch"):
        return Refused("UnsupportedValue", f"{field}.type: {spec.type} is not supported")
    whole = spec.type == "ReplaceFullPath"
    value = spec.replace_full_path if whole else spec.replace_prefix_match
    if value is None:
        return Refused("UnsupportedValue", f"{field}.{'replaceFullPath' if whole else 'replacePrefixMatch'} is missing")
    if any(character in value for character in "\0\r\n"):
        return Refused("UnsupportedValue", f"{field}: the new path holds control characters")
    if not (whole and location) and ("?" in value or "#" in value):
        return Refused("UnsupportedValue", f"{field}: the new path holds a query or fragment ({value})")
    if whole:
        return PathChange(full=value if value.startswith("/") else f"/{value}")
    if any(match.path.kind is not PathKind.PREFIX for match in around.matches):
        return Refused("UnsupportedValue", f"{field}: ReplacePrefixMatch needs a PathPrefix match")
    return PathChange(prefix="/" + value.strip("/"))
