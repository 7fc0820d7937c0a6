"""How verbs print data, YAML or JSON on standard output, and what log lines may look like."""

from enum import StrEnum
from typing import Any

import msgspec
import yaml

from xds_server.model.yaml import plain


class Format(StrEnum):
    """Formats for data."""

    YAML = "yaml"
    JSON = "json"


class LogFormat(StrEnum):
    """How log lines look."""

    CONSOLE = "console"
    JSON = "json"


class _Dumper(yaml.CSafeDumper):
    """Block style, no anchors: what is printed can be read and pasted in parts."""

    def ignore_aliases(self, _: Any) -> bool:
        """Never writes anchors."""
        return True


_OTHER_READERS_BOOLEANS = frozenset(("y", "Y", "n", "N"))
"""Words that YAML 1.1 reads as booleans and PyYAML writes bare."""


def _text(dumper: yaml.CSafeDumper, value: str) -> yaml.ScalarNode:
    """Quoted wherever some reader would take the bare word for something else than text."""
    bare_is_text = value and value not in _OTHER_READERS_BOOLEANS and isinstance(plain(value), str)
    numeric = value[:1] in "0123456789+-." and any(character.isdigit() for character in value)
    style = None if bare_is_text and not numeric else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(value: Any, format_: Format) -> str:
    """The value as text with a final newline; mappings keep their order."""
    if format_ is Format.JSON:
        return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def dump_all(objects: list[Any], format_: Format) -> str:
    """Several objects: a YAML stream, or a List as JSON, which whatever reads objects can read again."""
    if format_ is Format.JSON:
        return dump({"apiVersion": "v1", "kind": "List", "items": objects}, format_)
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
