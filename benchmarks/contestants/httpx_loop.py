"""The same loop as `bare`, around httpx, with as many connections as it wants."""

import asyncio
from collections.abc import Iterator

import httpx
from measuring import KEY, POLL_SECONDS, Errand, Meter, read_errand


async def carry_out(errand: Errand) -> None:
    """As many workers as slots, each with one job after the other."""
    numbers = iter(range(errand.jobs))
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    client = httpx.AsyncClient(limits=limits, timeout=300, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False)
    async with client, asyncio.TaskGroup() as group:
        for _ in range(errand.slots):
            group.create_task(work(errand, client, numbers))


async def work(errand: Errand, client: httpx.AsyncClient, numbers: Iterator[int]) -> None:
    """Create, query, download and write, until no job is left."""
    for number in numbers:
        task = (await client.post(errand.generation_url, json=errand.body(number))).json()
        while task["status"] != "completed":
            await asyncio.sleep(POLL_SECONDS)
            task = (await client.get(errand.task_url(task["id"]))).json()
        result = await client.get(task["output"][0]["content"][0]["url"])
        errand.file(number).write_bytes(result.content)


def main() -> None:
    """Do the errand."""
    errand, meter = read_errand(), Meter()
    errand.folder.mkdir()
    meter.begin()
    asyncio.run(carry_out(errand))
    meter.tell()


if __name__ == "__main__":
    main()
