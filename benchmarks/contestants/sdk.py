"""The gateway's own Python SDK, which waits for a task in a thread: as many threads as slots.

It brings no results, so the standard library downloads them, as the SDK itself asks.
"""

import urllib.request
from concurrent.futures import ThreadPoolExecutor

from measuring import KEY, POLL_SECONDS, Errand, Meter, read_errand
from seaart_sdk import Client, ClientConfig
from seaart_sdk.modal_types import with_poll_interval


def work(errand: Errand, client: Client, number: int) -> None:
    """Create, query, download and write one job."""
    created = client.modal.create(errand.body(number))
    task = client.modal.wait(created.id, with_poll_interval(POLL_SECONDS))
    with urllib.request.urlopen(task.urls()[0]) as response:  # noqa: S310 - of the benchmark's server
        errand.file(number).write_bytes(response.read())


def main() -> None:
    """Do the errand."""
    errand, meter = read_errand(), Meter()
    errand.folder.mkdir()
    meter.begin()
    client = Client(ClientConfig(api_key=KEY, base_url=errand.url))
    with ThreadPoolExecutor(errand.slots) as threads:
        for done in [threads.submit(work, errand, client, number) for number in range(errand.jobs)]:
            done.result()
    meter.tell()


if __name__ == "__main__":
    main()
