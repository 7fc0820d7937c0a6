import json
from collections.abc import Callable

import pytest
import yaml

from xds_server.cli.output import Format, dump, dump_all

VALUE = {"z": [1, 2.5, True, None], "a": {"text": "yes", "number": "1", "umlaut": "ü", "lines": "one\ntwo\n"}}


@pytest.mark.parametrize(("format_", "load"), [(Format.YAML, yaml.safe_load), (Format.JSON, json.loads)])
def test_what_is_printed_reads_back_in_the_same_order(format_: Format, load: Callable[[str], object]) -> None:
    text = dump(VALUE, format_)
    assert load(text) == VALUE
    assert text.endswith("\n")
    assert text.index("z") < text.index("text")
    assert "ü" in text


def test_a_value_that_occurs_twice_is_written_twice() -> None:
    shared = {"name": "value"}
    assert dump([shared, shared], Format.YAML) == "- name: value\n- name: value\n"


def test_a_stream_of_one_has_no_marker() -> None:
    assert dump_all([{"a": 1}], Format.YAML) == "a: 1\n"
    assert dump_all([{"a": 1}, {"b": 2}], Format.YAML) == "a: 1\n---\nb: 2\n"
