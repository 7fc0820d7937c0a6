"""Part: a piece of an encoded resource that can be told apart, replaced and blamed.

A resource is a tree of parts: a RouteConfiguration holds virtual hosts, which hold segments, which hold
routes. Versions of a resource share the sub-trees that did not change, so two versions are compared by identity
first.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import NamedTuple


def digest(data: bytes) -> str:
    """A short content hash: 16 hex digits of SHA-256; the version of every resource and part."""
    return sha256(data).hexdigest()[:16]


class Owner(NamedTuple):
    """Who answers for a part: an object and, within it, a field such as `rules[2]` or `listeners[https]`."""

    kind: str
    namespace: str
    name: str
    field: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" + (f" {self.field}" if self.field else "")


class Part:
    """An encoded piece. `id` is unique within its resource and never carries a content hash. Treated as immutable.

    A leaf (no `parts`) is what a rejection is pinned on; its `owners` are the objects that made it, and `fallback`
    makes what stands in for it when Envoy rejects it (None: it is left out).
    Equality is that of id, bytes and owners, here and in all `parts`: the same bytes may come from other leaves.
    """

    __slots__ = ("_hash", "data", "fallback", "id", "owners", "parts")

    def __init__(
        self,
        id: str,  # noqa: A002
        data: bytes,
        *,
        owners: tuple[Owner, ...] = (),
        parts: "tuple[Part, ...]" = (),
        fallback: "Callable[[Part], Part | None] | None" = None,
    ) -> None:
        self.id = id
        self.data = data
        self.owners = owners
        self.parts = parts
        self.fallback = fallback
        self._hash = ""

    @property
    def hash(self) -> str:
        """Content hash of the bytes, computed when first asked for."""
        if not self._hash:
            self._hash = digest(self.data)
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Part):
            return NotImplemented
        here = (self.id, self.data, self.owners) == (other.id, other.data, other.owners)
        return here and self.parts == other.parts

    def __hash__(self) -> int:
        return hash((self.id, self.data))

    def __repr__(self) -> str:
        return f"Part({self.id!r}, {len(self.data)} bytes, {len(self.parts)} parts)"


def leaves(part: Part) -> Iterator[Part]:
    """Every leaf below `part`, or `part` itself when it has no parts."""
    if not part.parts:
        yield part
        return
    for child in part.parts:
        yield from leaves(child)


def changed_leaves(old: Part | None, new: Part) -> Iterator[Part]:
    """The leaves of `new` that `old` does not hold under the same id with the same bytes.

    Sub-trees that both share cost nothing.
    """
    if old is new:
        return
    if old is None or not new.parts:
        if old is None or old.data != new.data:
            yield from leaves(new)
        return
    before = {child.id: child for child in old.parts}
    for child in new.parts:
        if (known := before.get(child.id)) is not child:
            yield from changed_leaves(known, child)
