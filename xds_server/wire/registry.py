"""Which message class a type URL means, and the reverse.

Comes in: a type URL such as `type.googleapis.com/envoy.config.route.v3.Route`, or a class. Goes out: the
other. A class is known once its module has been imported; nothing is imported here. Source: the message pool
of envoy-data-plane.
"""

import betterproto2
from envoy_data_plane.message_pool import default_message_pool

PREFIX = "type.googleapis.com/"


class UnknownTypeError(LookupError):
    """No message class is known by that type URL, or no type URL for that class."""


def class_of(type_url: str) -> type[betterproto2.Message]:
    """The message class that `type_url` names; as in protobuf, only what follows its last slash counts.

    Raises UnknownTypeError where no imported module defines it.
    """
    known = default_message_pool.url_to_type
    found = known.get(type_url) or known.get(PREFIX + type_url.rpartition("/")[2])
    if found is None:
        raise UnknownTypeError(f"no message class is known for {type_url!r}")
    return found


def type_url_of(cls: type[betterproto2.Message]) -> str:
    """The type URL of a message class. Raises UnknownTypeError for a class that is not registered."""
    try:
        return default_message_pool.type_to_url[cls]
    except KeyError:
        raise UnknownTypeError(f"{cls.__name__} has no type URL") from None
