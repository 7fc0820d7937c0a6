"""Our models against the CRDs' fields, as `crd_fields.txt` lists them: names, what is required, defaults."""

import json
import re
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest

from xds_server.model.kinds import KINDS
from xds_server.model.meta import Struct
from xds_server.model.validate import FIELDS

LISTING = Path(__file__).with_name("crd_fields.txt")
LINE = re.compile(r"(?P<indent> *)(?P<name>\w+)(?P<list>\[\])?(?P<required> required)?(?: = (?P<default>.*))?")
ROWS = [row for row in KINDS if row.channel != "core"]

MORE_THAN_THE_CRD = {
    "Gateway": ("spec.infrastructure.parametersRef.namespace",),
    "GRPCRoute": tuple(
        f"{place}.filters[].{name}"
        for place in ("spec.rules[]", "spec.rules[].backendRefs[]")
        for name in ("requestRedirect", "urlRewrite", "cors", "externalAuth")
    ),
    "XBackendTrafficPolicy": ("spec.targetRefs[].sectionName",),
}
"""Fields of structs that several places share, where the CRD lacks them in one of the places."""

REQUIRED_OTHERWISE = ("spec.port.number", "spec.tracing")
"""Fields without which nothing is left, which the CRDs say with minProperties or CEL."""

NOT_REQUIRED = {"TLSRoute": ("spec.hostnames",)}
"""Fields that an older version, still served, does not require."""


def listed():
    """By kind, the fields by path: whether each is required, and its default in JSON."""
    kinds, path = {}, []
    for line in LISTING.read_text().splitlines()[1:]:
        one = LINE.fullmatch(line)
        depth = len(one["indent"]) // 2
        path[depth:] = [one["name"] + (one["list"] or "")]
        if depth == 0:
            fields = kinds.setdefault(one["name"], {})
        else:
            fields[".".join(path[1:]).removesuffix("[]")] = bool(one["required"]), one["default"]
    return kinds


def modelled(model, place=""):
    """The fields by path: the struct that has it, the field, and its type."""
    hints = get_type_hints(model)
    for field in msgspec.structs.fields(model):
        if field.encode_name == "metadata":
            continue
        path, hint = f"{place}{field.encode_name}", hints[field.name]
        yield path, (model, field, hint)
        if inner := struct_in(hint):
            yield from modelled(inner, f"{path}[]." if str(hint).startswith("tuple") else f"{path}.")


def struct_in(hint):
    if isinstance(hint, type) and issubclass(hint, Struct):
        return hint
    return next((found for part in get_args(hint) if (found := struct_in(part))), None)


CRDS = listed()


def test_every_kind_is_listed():
    assert list(CRDS) == [row.kind for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
def test_every_field_is_there(row):
    model, crd = dict(modelled(row.model)), CRDS[row.kind]
    assert [path for path in crd if path not in model] == []
    more = [path for path in model if path not in crd]
    allowed = MORE_THAN_THE_CRD.get(row.kind, ())
    assert [path for path in more if not path.startswith(allowed or ("?",))] == []
    assert [path for path in allowed if path not in more] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
def test_what_is_required_is_missed(row):
    """By `parse`, which needs the field, or by `validate`, which refuses the default."""
    model = dict(modelled(row.model))
    for path, (required, _) in CRDS[row.kind].items():
        owner, field, _ = model[path]
        refused = FIELDS.get(owner, {}).get(field.name, lambda _: "")
        default = {} if field.default is msgspec.NODEFAULT else field.default
        missed = field.required or bool(default is not None and refused(default))
        expected = (required or path in REQUIRED_OTHERWISE) and path not in NOT_REQUIRED.get(row.kind, ())
        assert missed == expected, path


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
def test_defaults_are_the_same(row):
    model = dict(modelled(row.model))
    for path, (_, default) in CRDS[row.kind].items():
        if default is not None:
            _, field, hint = model[path]
            assert field.default == msgspec.convert(json.loads(default), hint), path
