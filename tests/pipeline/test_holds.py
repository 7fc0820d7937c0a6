"""What is served in place of a leaf that is held."""

from hypothesis import given
from hypothesis import strategies as st

from xds_server.pipeline.holds import Hold, Variant, Variants, left_out, serve, serve_all
from xds_server.wire.part import Part

FALLBACK = Part("a", b"fallback")
LEAF = Part("a", b"new", fallback=lambda _: FALLBACK)
PLAIN = Part("b", b"plain")
OLD = Part("a", b"old")


def test_without_a_hold_the_leaf_itself() -> None:
    assert serve(LEAF, None) is LEAF
    assert serve(LEAF, Hold()) is LEAF


def test_a_suspect_is_replaced_by_what_was_last_acknowledged() -> None:
    assert serve(LEAF, Hold(suspected=LEAF.hash, stand_in=OLD)) is OLD
    assert serve(LEAF, Hold(suspected=LEAF.hash)) is None


def test_a_rejected_leaf_is_replaced_by_its_fallback_if_that_is_any_better() -> None:
    assert serve(LEAF, Hold(rejected=frozenset((LEAF.hash,)))) is FALLBACK
    assert serve(LEAF, Hold(rejected=frozenset((LEAF.hash, FALLBACK.hash)))) is None
    assert serve(PLAIN, Hold(rejected=frozenset((PLAIN.hash,)))) is None


def test_a_suspected_fallback_is_not_sent_either() -> None:
    hold = Hold(rejected=frozenset((LEAF.hash,)), suspected=FALLBACK.hash, stand_in=OLD)
    assert serve(LEAF, hold) is OLD


def test_a_hold_on_other_bytes_is_no_hold() -> None:
    """A changed object gets a new try."""
    assert serve(LEAF, Hold(rejected=frozenset((OLD.hash,)), suspected="0" * 16)) is LEAF


def test_what_is_left_out_is_known_by_its_hashes() -> None:
    hold = Hold(rejected=frozenset((LEAF.hash, FALLBACK.hash)))
    holds = {"a": hold, "b": Hold(suspected=PLAIN.hash)}
    assert left_out((LEAF, PLAIN), holds.get) == hold.rejected
    assert left_out((OLD,), holds.get) == frozenset()


def test_a_build_without_a_variant_has_what_everyone_has() -> None:
    variant = Variant("1.40.0", None, frozenset((LEAF.hash,)))
    variants = Variants(LEAF, (variant,))
    assert variants.of("1.40.0") is variant
    assert variants.of("1.39.0") == Variant("1.39.0", LEAF)


parts = st.lists(st.sampled_from("abcdef"), unique=True).map(lambda ids: tuple(Part(one, one.encode()) for one in ids))


@given(parts, st.sets(st.sampled_from("abcdef")))
def test_all_at_once_keeps_order_and_the_very_tuple_when_nothing_is_held(
    found: tuple[Part, ...], held: set[str]
) -> None:
    holds = {one.id: Hold(rejected=frozenset((one.hash,))) for one in found if one.id in held}
    served = serve_all(found, holds.get)
    assert served == tuple(one for one in found if one.id not in held)
    assert (served is found) == (not holds)
