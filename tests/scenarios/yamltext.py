"""YAML as scenarios show it: one line per entry where that is short, the same text on every machine."""

from typing import Any

import yaml

WIDTH = 118


class _Dumper(yaml.CSafeDumper if hasattr(yaml, "CSafeDumper") else yaml.SafeDumper):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        return True


def flow(value: Any) -> str:
    """A value on one line."""
    text = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, width=1_000_000, sort_keys=False, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")


def lines(value: Any, indent: int = 0) -> list[str]:
    """A value in block style; what fits on one line, and is no list of mappings, stands on one."""
    pad = " " * indent
    if isinstance(value, dict) and value:
        found = []
        for name, child in value.items():
            short = f"{pad}{flow(name)}: {flow(child)}"
            if not _is_nested(child) or (len(short) <= WIDTH and not _holds_mappings(child)):
                found.append(short)
            else:
                found += [f"{pad}{flow(name)}:", *lines(child, indent if isinstance(child, list) else indent + 2)]
        return found
    if isinstance(value, list) and value:
        found = []
        for child in value:
            short = f"{pad}- {flow(child)}"
            if not _is_nested(child) or len(short) <= WIDTH:
                found.append(short)
            else:
                first, *rest = lines(child, indent + 2)
                found += [f"{pad}- {first.lstrip()}", *rest]
        return found
    return [pad + flow(value)]


def block(value: Any) -> str:
    """The text of a whole block."""
    return "\n".join(lines(value)) + "\n"


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _holds_mappings(value: Any) -> bool:
    if isinstance(value, list):
        return any(isinstance(child, dict) for child in value)
    return any(isinstance(child, dict) or _holds_mappings(child) for child in value.values() if _is_nested(child))
