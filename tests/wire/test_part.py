"""Parts: which leaves differ, and what makes two parts equal."""

from xds_server.wire.part import Owner, Part, changed_leaves, digest, leaves


def tree(**routes: bytes) -> Part:
    children = tuple(Part(name, data) for name, data in routes.items())
    return Part("host", b"".join(routes.values()), parts=children)


def test_digest_is_short_and_follows_the_bytes() -> None:
    assert digest(b"") == "e3b0c44298fc1c14"
    assert Part("a", b"x").hash == Part("b", b"x").hash != Part("a", b"y").hash


def test_equality_is_that_of_id_bytes_and_owners() -> None:
    owner = Owner("HTTPRoute", "default", "http", "rules[0]")
    part = Part("a", b"x", owners=(owner,))
    assert part == Part("a", b"x", owners=(owner,))
    assert hash(part) == hash(Part("a", b"x", owners=(owner,)))
    assert part != Part("a", b"x")
    assert part != Part("b", b"x", owners=(owner,))
    assert part != Part("a", b"y", owners=(owner,))


def test_an_owner_reads_as_people_say_it() -> None:
    assert str(Owner("HTTPRoute", "default", "http", "rules[0]")) == "HTTPRoute default/http rules[0]"
    assert str(Owner("Gateway", "infra", "edge")) == "Gateway infra/edge"


def test_leaves_in_order() -> None:
    whole = Part("config", b"", parts=(Part("header", b"h"), tree(a=b"1", b=b"2")))
    assert [leaf.id for leaf in leaves(whole)] == ["header", "a", "b"]


def test_changed_leaves_are_those_that_are_new_or_have_other_bytes() -> None:
    old = Part("config", b"", parts=(Part("header", b"h"), tree(a=b"1", b=b"2")))
    new = Part("config", b"", parts=(Part("header", b"h"), tree(b=b"2", a=b"9", c=b"3")))
    assert [leaf.id for leaf in changed_leaves(old, new)] == ["a", "c"]
    assert list(changed_leaves(old, old)) == []
    assert [leaf.id for leaf in changed_leaves(None, new)] == ["header", "b", "a", "c"]


def test_a_shared_subtree_is_not_looked_into() -> None:
    class Untouchable(tuple):
        def __iter__(self):
            raise AssertionError("a shared part was looked into")

    shared = Part("host", b"12")
    shared.parts = Untouchable((Part("a", b"1"), Part("b", b"2")))
    old = Part("config", b"", parts=(shared,))
    new = Part("config", b"", parts=(shared, Part("other", b"x")))
    assert [leaf.id for leaf in changed_leaves(old, new)] == ["other"]
