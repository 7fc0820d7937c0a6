"""Log lines as they reach the stream: one per event, names readable, nothing that breaks a terminal or a parser."""

import io
import json
import logging

import pytest
import structlog

from xds_server.model.meta import Key, ObjectRef
from xds_server.shell import logs

log = structlog.get_logger()


def written(log_format: str, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(log_format, level=level, stream=stream)
    return stream


def test_console_line_is_plain_text_without_a_terminal() -> None:
    stream = written("console")
    log.info("gateway served", gateway=Key("shop", "web"), ports=(80, 443), owner=ObjectRef("Gateway", "a", "b"))
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert "\x1b" not in line
    for part in ("gateway served", "gateway=shop/web", "ports=[80, 443]", "owner='Gateway a/b'", "info"):
        assert part in line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    logs.configure("console", stream=stream)
    log.info("hello")
    assert ("\x1b[" in stream.getvalue()) is coloured


def test_json_line() -> None:
    stream = written("json")
    log.warning("gateway served", gateway=Key("shop", "web"), count=2, reason=None)
    (line,) = stream.getvalue().splitlines()
    value = json.loads(line)
    assert list(value)[:3] == ["timestamp", "level", "event"]
    assert value.pop("timestamp").endswith("Z")
    assert value == {
        "level": "warning",
        "event": "gateway served",
        "gateway": "shop/web",
        "count": 2,
        "reason": None,
    }


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_nothing_breaks_the_line(log_format: str) -> None:
    stream = written(log_format)
    log.info("said\nanother line", message="\x1b[2Jred\r\u2028end")
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


def boom() -> None:
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("outer\nsecond line") from error


@pytest.mark.parametrize("log_format", ["console", "json"])
@pytest.mark.parametrize("standard_library", [False, True])
def test_an_exception_is_one_line_that_names_place_and_cause(log_format: str, standard_library: bool) -> None:
    stream = written(log_format)
    try:
        boom()
    except ValueError:
        (logging.getLogger("lib") if standard_library else log).exception("failed")
    (line,) = stream.getvalue().splitlines()
    for part in ("failed", "ValueError: outer", "KeyError: 'inner'", "test_logs.py", "boom"):
        assert part in line


def test_an_exception_group_names_its_members() -> None:
    group = ExceptionGroup("two", [ValueError("a"), OSError("b")])
    assert logs.describe(group) == "ExceptionGroup: two (2 sub-exceptions): ValueError: a; OSError: b"


def test_levels_and_other_libraries() -> None:
    stream = written("json", level="warning")
    log.info("quiet")
    log.error("loud")
    logging.getLogger("aiohttp.access").info("quiet")
    logging.getLogger("grpc").warning("loud %s", "too")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["level"], line["event"], line.get("logger")) for line in lines] == [
        ("error", "loud", None),
        ("warning", "loud too", "grpc"),
    ]


def test_at_info_other_libraries_start_at_warning() -> None:
    stream = written("json", level="info")
    logging.getLogger("hypercorn.error").info("Running on …")
    assert stream.getvalue() == ""


def test_a_reader_that_went_away_is_no_error() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    logs.configure("console", stream=Broken())
    log.info("nobody reads this")
    logging.getLogger("lib").error("nor this")


@pytest.mark.parametrize(("log_format", "level"), [("xml", "info"), ("json", "chatty")])
def test_unknown_settings_are_refused(log_format: str, level: str) -> None:
    with pytest.raises(ValueError, match="unknown log"):
        logs.configure(log_format, level=level)
