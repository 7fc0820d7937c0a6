"""Text to documents: scalars by YAML 1.2, what is wrong by line and column, nothing that multiplies or overflows."""

import json
import math

import pytest
import yaml as pyyaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xds_server.model.yaml import DEEPEST, MOST_VALUES, Chunk, Lines, Malformed, first_line, load, split

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9).map(lambda f: round(f, 3)) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def wrong(text):
    with pytest.raises(Malformed) as raised:
        load(text)
    return raised.value


# Scalars


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("yes", "yes"),
        ("on", "on"),
        ("n", "n"),
        ("Off", "Off"),
        ("~", None),
        ("null", None),
        ("", None),
        ("nUlL", "nUlL"),
        ("0", 0),
        ("8080", 8080),
        ("-1", -1),
        ("+1", 1),
        ("012", "012"),
        ("0x10", "0x10"),
        ("0o7", "0o7"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("190:20:30", "190:20:30"),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("1.5E-3", 0.0015),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T00:00:00Z", "2026-01-31T00:00:00Z"),
        ("10.0.0.1", "10.0.0.1"),
        ("1.2.3", "1.2.3"),
        ("+", "+"),
        (".", "."),
        ("=", "="),
        ("'8080'", "8080"),
        ('"true"', "true"),
        ('"\\u00e9\\n"', "é\n"),
        ("|\n   a\n   b\n", "a\nb\n"),
        (">-\n   a\n   b\n", "a b"),
        ("!!str 80", "80"),
        ('!!int "80"', 80),
        ("!!float 1", 1),
        ("!!null null", None),
        ('"*.example.com"', "*.example.com"),
    ],
)
def test_scalars(text, value):
    [document] = load(f"a: {text}\n")
    assert document == {"a": value}
    assert type(document["a"]) is type(value)


def test_numbers_of_any_length_are_read_or_left_as_text():
    assert load("a: " + "9" * 1000) == [{"a": int("9" * 1000)}]
    assert load("a: " + "9" * 5000) == [{"a": "9" * 5000}]


def test_keys_are_text():
    assert load("1: a\ntrue: b\n~: c\n1.5: d\n'': e") == [{"1": "a", "true": "b", "~": "c", "1.5": "d", "": "e"}]


@given(VALUES)
def test_json_reads_as_json_does(value):
    text = json.dumps({"v": value})
    assert load(text) == [json.loads(text)]


@given(VALUES)
def test_what_pyyaml_writes_with_quotes_comes_back(value):
    text = pyyaml.safe_dump({"v": value}, default_style='"', allow_unicode=True) if isinstance(value, str) else None
    text = text or json.dumps({"v": value}, ensure_ascii=False).replace("{", "{ ", 1) + "\n# a comment makes it YAML"
    assert load(text) == [{"v": value}]


# Collections, anchors, merges


def test_block_and_flow_collections():
    text = "a:\n- b: 1\n  c: [x, {y: z}]\n-\n  - d\nempty: {}\nnone: []\n"
    assert load(text) == [{"a": [{"b": 1, "c": ["x", {"y": "z"}]}, ["d"]], "empty": {}, "none": []}]


def test_anchors_and_merges():
    text = "base: &b {x: 1, y: 2}\none: *b\ntwo:\n  <<: *b\n  y: 3\nthree:\n  z: 4\n  <<: [{x: 9}, *b]\n"
    [document] = load(text)
    assert document["one"] == {"x": 1, "y": 2}
    assert document["two"] == {"x": 1, "y": 3}
    assert document["three"] == {"z": 4, "x": 9, "y": 2}


def test_a_quoted_merge_key_is_a_key():
    assert load("a: {'<<': 1}") == [{"a": {"<<": 1}}]


def test_anchors_of_scalars_and_empty_values():
    assert load("a: &x 80\nb: *x\nc: &y\nd: *y") == [{"a": 80, "b": 80, "c": None, "d": None}]


def test_anchors_end_with_their_document():
    assert wrong("a: &x 1\n---\nb: *x\n").line == 3


# Several documents


def test_documents_of_one_text():
    assert load("a: 1\n---\nb: 2\n---\n# nothing\n---\n- 3\n") == [{"a": 1}, {"b": 2}, None, [3]]
    assert load("") == []
    assert load("# a comment\n") == []
    assert load("{}") == [{}]


def test_json_documents_one_after_the_other():
    assert load('{"a": 1}\n{"b": 2} {"c": 3}\n') == [{"a": 1}, {"b": 2}, {"c": 3}]


def test_json_surrogate_pairs_are_one_character():
    assert load('{"a": "\\ud83d\\ude00"}') == [{"a": "😀"}]


@pytest.mark.parametrize(
    ("text", "chunks"),
    [
        ("a: 1", [("a: 1", 1)]),
        ("", []),
        ("# only\n\n---\n# comments\n...\n", []),
        ("a: 1\n---\nb: 2\n", [("a: 1\n", 1), ("---\nb: 2\n", 2)]),
        ("---\na: 1\n---\n---\nb: 2\n", [("---\na: 1\n", 1), ("---\n---\nb: 2\n", 3)]),
        ("# for a\n---\na: 1\n", [("# for a\n---\na: 1\n", 1)]),
        ("a: 1\n# for b\n---\nb: 2", [("a: 1\n# for b\n", 1), ("---\nb: 2", 3)]),
        ("%YAML 1.1\n---\na: 1\n", [("%YAML 1.1\n---\na: 1\n", 1)]),
        ("a: 1\n...\n%YAML 1.1\n---\nb: 2\n", [("a: 1\n...\n", 1), ("%YAML 1.1\n---\nb: 2\n", 3)]),
        ("a: 1\n...", [("a: 1\n...", 1)]),
        ("...\n# c\n...\nb: 2\n", [("b: 2\n", 4)]),
        ("--- {a: 1}\n--- {b: 2}\n", [("--- {a: 1}\n", 1), ("--- {b: 2}\n", 2)]),
        ("a: |\n  ---\n  x\n---\nb: 1\n", [("a: |\n  ---\n  x\n", 1), ("---\nb: 1\n", 4)]),
        ("a: 1\r\n---\r\nb: 2\r\n", [("a: 1\r\n", 1), ("---\r\nb: 2\r\n", 2)]),
        ("a: 1\n---x: 2\n", [("a: 1\n---x: 2\n", 1)]),
    ],
)
def test_split(text, chunks):
    assert split(text) == [Chunk(*chunk) for chunk in chunks]


@given(st.lists(st.sampled_from(["a: 1\n", "- x\n", "# c\n", "---\n", "--- # d\n", "...\n", "\n", "b: {c: 2}\n"])))
def test_documents_are_the_same_in_parts(lines):
    text = "".join(lines)
    try:
        whole = [document for document in load(text) if document is not None]
    except Malformed:
        return
    parts = [document for chunk in split(text) for document in load(chunk.text) if document is not None]
    assert parts == whole


@given(st.lists(st.sampled_from(["a: 1\n", "# c\n", "---\n", "...\n", "x\n"])))
def test_chunks_know_their_lines(lines):
    text = "".join(lines)
    for chunk in split(text):
        assert "".join(text.splitlines(keepends=True)[chunk.line - 1 :]).startswith(chunk.text)


# What is wrong


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("a: 1\nb: [1\n", 2, 0, "did not find expected ',' or ']'"),
        ("a: b: c", 1, 5, "mapping values are not allowed"),
        ("a: 1\n\tb: 2", 2, 1, "found a tab character"),
        ("a: @b", 1, 4, "cannot start any token"),
        ("a: 'x", 1, 6, "unexpected end of stream"),
        ("a: 1\na: 2", 2, 1, 'key "a" is given twice'),
        (
            "apiVersion: v1\nkind: A\napiVersion: v1",
            3,
            1,
            'key "apiVersion" is given twice; is a --- missing before it?',
        ),
        ("kind: A\nspec: 1\n\nspec: 2", 4, 1, 'key "spec" is given twice; is a --- missing before it?'),
        ("a:\n  kind: A\n  kind: B", 3, 3, 'key "kind" is given twice'),
        ("x:\n  - {b: 1, c: 2, b: 3}", 2, 18, 'key "b" is given twice'),
        ('{"a": 1,\n "a": 2}', 2, 2, 'key "a" is given twice'),
        ('{"a": 1,,}', 1, 9, "did not find expected"),
        ("a: !Ref b", 1, 4, "tag !Ref is not read here"),
        ("a: !!binary aGVsbG8=", 1, 4, "tag !!binary is not read here"),
        ("a: !!bool maybe", 1, 4, "tag !!bool is not read here, or not with this value"),
        ("a: !!set {b}", 1, 4, "tag !!set is not read here"),
        ("? [a]\n: b", 1, 3, "a key must be plain text"),
        ("? {a: b}\n: c", 1, 3, "a key must be plain text"),
        ("a: &x 1\n*x : 2", 2, 1, "alias x stands for a key"),
        ("a: *x", 1, 4, "alias x stands for"),
        ("a: &x [*x]", 1, 8, "alias x stands for"),
        ("a: {<<: 3}", 1, 9, "<< merges mappings only"),
        ("a: b\x07c", 1, 5, "a character that YAML does not allow"),
        ("# é\na: \x00", 2, 4, "a character that YAML does not allow"),
        ('{"a": "\\ud800"}', 1, 10, "invalid Unicode"),
        ("a" * 2000 + ": 1\nb: 2", 1, 2001, "mapping values are not allowed"),
    ],
)
def test_wrong_text_is_located(text, line, column, reason):
    problem = wrong(text)
    assert (problem.line, problem.column) == (line, column)
    assert reason in problem.reason


@pytest.mark.parametrize("deep", ["[" * 100_000, "- " * 50_000, "{a: " * 50_000, "? " * 50_000])
def test_nesting_is_bounded(deep):
    assert f"nested more than {DEEPEST}" in wrong(deep).reason or "key" in wrong(deep).reason


def test_json_nesting_is_bounded():
    assert "nested" in wrong('{"a":' * 100_000).reason


def test_aliases_may_not_multiply():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    for one, ten in zip("abcdefgh", "bcdefghi", strict=True):
        bomb += f"{ten}: &{ten} [{','.join([f'*{one}'] * 10)}]\n"
    problem = wrong(bomb)
    assert problem.reason == f"comes to more than {MOST_VALUES} values"
    assert problem.line == 6


@settings(max_examples=300)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%#?, \n\t<0.~"), max_size=40) | st.text(max_size=20))
@example("\ud800")
@example("\ufeffa: 1")
@example("a: \x85b")
def test_no_text_raises_anything_else(text):
    try:
        for chunk in split(text):
            for index, _ in enumerate(load(chunk.text)):
                assert Lines(chunk.text).of(index, "a[0].b") >= 1
    except Malformed:
        return


# Lines


PLACES = """\
# a comment
---
kind: Thing
spec:
  rules:
  - name: one

    ports: [1, 2]
  - name: two
    other:
      tls.crt: x
      tls: {deep: 1,
            er: 2}
  list: &l
  - a: 1
again: {<<: {x: 1}, y: 2}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", 3),
        ("kind", 3),
        ("spec", 4),
        ("spec.rules", 5),
        ("spec.rules[0]", 6),
        ("spec.rules[0].ports", 8),
        ("spec.rules[0].ports[1]", 8),
        ("spec.rules[1]", 9),
        ("spec.rules[1].name", 9),
        ("spec.rules[1].other.tls.crt", 11),
        ("spec.rules[1].other.tls.er", 13),
        ("spec.rules[1].other.tls.absent", 12),
        ("spec.rules[1].absent.more", 9),
        ("spec.rules[7].name", 5),
        ("spec.absent", 4),
        ("absent", 3),
        ("spec.list[0].a", 15),
        ("again.y", 16),
        ("again.x", 16),
    ],
)
def test_lines_of_fields(path, line):
    assert Lines(PLACES).of(0, path) == line


def test_lines_of_json():
    text = '\n{\n "a": [\n  1,\n  {"b": 2}\n ]\n}\n'
    assert Lines(text).of(0, "a[1].b") == 5


def test_lines_of_later_documents():
    assert Lines("a: 1\n---\nb:\n  c: 1\n").of(1, "b.c") == 4
    assert Lines("a: 1\n").of(3, "b.c") == 1
    assert Lines("a: [").of(0, "a") == 1


def test_first_line_is_that_of_content():
    assert first_line("# x\n\n---\n# y\nkind: z\n") == 5
    assert first_line("--- {a: 1}\n") == 1
    assert first_line("# x") == 1


def test_numbers_stay_finite():
    assert all(math.isfinite(value) for value in load("[1e308, -1e308, 1.7976931348623157e308]")[0])
