"""The practical limit: a loop around the HTTP library that keeps nothing but the results, and checks nothing."""

import asyncio
from collections.abc import Iterator

import aiohttp
from measuring import KEY, POLL_SECONDS, Errand, Meter, read_errand


async def carry_out(errand: Errand) -> None:
    """As many workers as slots, each with one job after the other."""
    numbers = iter(range(errand.jobs))
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers={"Authorization": f"Bearer {KEY}"})
    async with session, asyncio.TaskGroup() as group:
        for _ in range(errand.slots):
            group.create_task(work(errand, session, numbers))


async def work(errand: Errand, session: aiohttp.ClientSession, numbers: Iterator[int]) -> None:
    """Create, query, download and write, until no job is left."""
    for number in numbers:
        async with session.post(errand.generation_url, json=errand.body(number)) as response:
            task = await response.json()
        while task["status"] != "completed":
            await asyncio.sleep(POLL_SECONDS)
            async with session.get(errand.task_url(task["id"])) as response:
                task = await response.json()
        async with session.get(task["output"][0]["content"][0]["url"]) as response:
            errand.file(number).write_bytes(await response.read())


def main() -> None:
    """Do the errand."""
    errand, meter = read_errand(), Meter()
    errand.folder.mkdir()
    meter.begin()
    asyncio.run(carry_out(errand))
    meter.tell()


if __name__ == "__main__":
    main()
