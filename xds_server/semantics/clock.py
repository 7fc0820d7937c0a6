"""The time of day as rows: the number of the month, of the day and of the minute that it is.

What waits for a moment asks for the minute only on that moment's day, and for the day only in its month. So each minute
that begins reaches what may happen that day, each day what may happen that month, and no more. A month has 30 days.
"""

from collections.abc import Mapping
from datetime import datetime

from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Table

UNITS = (43_200, 1_440, 1)
"""Minutes in each unit, longest first; the keys of the rows."""
Clock = Table[int, int]


def rows(minute: int) -> Mapping[int, int]:
    """The rows at a minute, counted since 1970 in UTC."""
    return {unit: minute // unit for unit in UNITS}


def reached(moment: datetime, look: Lookup, clock: Clock) -> bool | None:
    """Has the moment come, to a minute? None while nobody has told the time."""
    minute = int(moment.timestamp()) // 60
    for unit in UNITS:
        now = look.get(clock, unit)
        if now is None:
            return None
        if now != minute // unit:
            return now > minute // unit
    return True
