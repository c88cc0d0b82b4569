"""What the sandbox remembers of everything it was asked, for tests and for the curious. It changes nothing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from kirin_batch.sandbox.tasks import Task

__all__ = ["Books"]


@dataclass(slots=True)
class Books:
    """The sandbox's own books.

    `tasks` are all that were ever accepted, by task id, oldest first. `creates`, `queries` and `downloads` count
    requests with a valid key, or without one for downloads. `duplicates` are creates refused because their
    external_task_id was taken, `refusals` all refused creates by vendor code. `downloads_with_key` are requests to the
    results' site that carried a key: always a leak. `peak_slots` is the most that any account held at once, by kind.
    """

    tasks: dict[str, Task] = field(default_factory=dict)
    creates: int = 0
    duplicates: int = 0
    queries: int = 0
    downloads: int = 0
    downloads_with_key: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    peak_slots: Counter[str] = field(default_factory=Counter)

    def of_user(self, user: str) -> Iterator[Task]:
        """The tasks of one user, oldest first."""
        return (task for task in self.tasks.values() if task.user == user)

    def by_external_id(self, external_id: str) -> list[Task]:
        """The tasks of all users with this external_task_id: one a user at most."""
        return [task for task in self.tasks.values() if task.external_id == external_id]
