"""Requests to the Envoys of a server: one, one after the other until told to stop, or until an answer is as wished."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import aiohttp

from tests.run.process import SECONDS, until
from tests.traffic.client import Answer, answer_of

LEAST = 50
FAILED = 0
"""The status of a request that got no answer."""


async def get(url: str, host: str, http: aiohttp.ClientSession | None = None) -> Answer:
    """One GET; status FAILED if the connection is refused or breaks."""
    if http is None:
        async with aiohttp.ClientSession() as own:
            return await get(url, host, own)
    try:
        async with http.get(url, headers={"Host": host}, timeout=aiohttp.ClientTimeout(20)) as response:
            return answer_of(response.status, response.headers.items(), await response.read())
    except (aiohttp.ClientError, TimeoutError) as error:
        return Answer(FAILED, {}, repr(error).encode())


async def until_status(url: str, host: str, status: int, *, seconds: float = SECONDS) -> float:
    """Asks until the answer has this status; how many seconds that took."""

    async def answered() -> bool:
        return (await get(url, host)).status == status

    return await until(answered, f"{host} at {url} answers {status}", seconds=seconds)


@dataclass
class Traffic:
    """What came of continuous requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    longest: float = 0.0
    """Seconds that the slowest request took."""
    failures: list[bytes] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many requests have been answered, or failed."""
        return self.statuses.total()

    async def more(self, requests: int = 50) -> None:
        """Waits for further requests."""
        wanted = self.count + requests
        await until(lambda: self.count >= wanted, f"{requests} further requests")

    def assert_good(self) -> None:
        """Every request was answered with 200."""
        assert set(self.statuses) == {200}, (self.statuses, self.failures[:3])


@asynccontextmanager
async def traffic(url: str, host: str) -> AsyncIterator[Traffic]:
    """Requests for the length of a block, at least some: on a connection that is kept, and each on a new one."""
    seen = Traffic()
    stop = asyncio.Event()

    async def ask(*, keep: bool) -> None:
        connector = aiohttp.TCPConnector(force_close=not keep)
        async with aiohttp.ClientSession(connector=connector) as http:
            while not stop.is_set():
                begun = monotonic()
                answer = await get(url, host, http)
                seen.longest = max(seen.longest, monotonic() - begun)
                seen.statuses[answer.status] += 1
                if answer.status != 200:
                    seen.failures.append(answer.body)
                await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask(keep=True))
        group.create_task(ask(keep=False))
        try:
            yield seen
            await until(lambda: seen.count >= LEAST, f"{LEAST} requests")
        finally:
            stop.set()
