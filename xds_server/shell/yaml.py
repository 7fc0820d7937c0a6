"""YAML and JSON texts to documents, with YAML 1.2's plain scalars, and the place of what is wrong."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from xds_server.model.document import Fault


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    list("-+0123456789."),
)


def load(text: str, file: str = "") -> Iterator[Any | Fault]:
    """The documents of a text; a Fault, and the end, where the text is no YAML."""
    loader = _Loader(text)
    try:
        while loader.check_data():
            yield loader.get_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        yield Fault(reason=error.problem or str(error), file=file, line=line, column=column)
    except yaml.YAMLError as error:
        yield Fault(reason=str(error), file=file)
    finally:
        loader.dispose()
