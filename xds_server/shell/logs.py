"""Logging: structlog and the standard library's loggers, one line per event, on standard error.

In: a format and a stream. Out: a configured process; modules log by `structlog.get_logger()` with a short
event and object names as fields. Standard output is left to what a command prints.
"""

import logging
import os
import re
import sys
import traceback
from pathlib import PurePath
from typing import Final, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

CONSOLE: Final = "console"
JSON: Final = "json"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FRAMES: Final = 6
_INTERNAL: Final = frozenset({"_record", "_from_structlog"})
"""What ProcessorFormatter keeps in the event of another library."""
_PLAIN: Final = frozenset({str, int, float, bool, list, dict, type(None)})
_LEADING: Final = ("timestamp", "level", "event")


def configure(log_format: str = CONSOLE, *, level: str = "info", stream: TextIO | None = None) -> None:
    """Sets up logging for the whole process; may be called again.

    `log_format` is "console" (for people: coloured if the stream is a terminal and NO_COLOR is unset) or
    "json" (for machines: times in UTC). Other libraries are heard from warning level on. Raises ValueError
    for an unknown format or level.
    """
    if log_format not in {CONSOLE, JSON}:
        raise ValueError(f"unknown log format {log_format!r}: it is {CONSOLE} or {JSON}")
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ValueError(f"unknown log level {level!r}")
    lines = cast("TextIO", _Lines(stream or sys.stderr))
    enrich: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        *(_for_machines() if log_format == JSON else _for_people()),
    ]
    render = _renderer(log_format, lines)
    structlog.configure(
        processors=[*enrich, render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=lines),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *enrich],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(threshold, logging.WARNING))


def _for_people() -> list[Processor]:
    stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    return [stamp, _error_on_one_line, _plain, _one_line]


def _for_machines() -> list[Processor]:
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    return [stamp, structlog.processors.format_exc_info, _plain, _leading_first]


def _renderer(log_format: str, stream: TextIO) -> Processor:
    if log_format == JSON:
        return structlog.processors.JSONRenderer()
    coloured = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return structlog.dev.ConsoleRenderer(colors=coloured, sort_keys=False, pad_event_to=36)


def _plain(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Names such as Key and ObjectRef are written as people write them, not as tuples."""
    for name, value in event.items():
        if name not in _INTERNAL and type(value) not in _PLAIN:
            event[name] = list(value) if type(value) is tuple else str(value)
    return event


def _one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Line breaks and terminal controls, which Envoy and users write, are shown escaped."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), value)
    return event


def _leading_first(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Time, level and event come first, whatever else a line carries."""
    return {name: event[name] for name in _LEADING if name in event} | dict(event)


def _error_on_one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """`exc_info` becomes a field `error`: what happened, and the innermost places first."""
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else None
    if info is True:
        error = sys.exception()
    if error is not None:
        event["error"] = describe(error)
    return event


def describe(error: BaseException) -> str:
    """An exception with its causes and places on one line."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    places = " < ".join(f"{PurePath(at.filename).name}:{at.lineno} {at.name}" for at in reversed(frames))
    text = f"{type(error).__name__}: {error}" + (f" ({places})" if places else "")
    if isinstance(error, BaseExceptionGroup):
        text += ": " + "; ".join(describe(one) for one in error.exceptions)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{text}, caused by {describe(cause)}" if cause is not None else text


class _Lines:
    """A stream whose reader may go away: a line that nobody can read is no reason to stop serving."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def isatty(self) -> bool:
        return self._stream.isatty()
