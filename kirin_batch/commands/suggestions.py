"""What was probably meant by a job, a tag or a model that is not there."""

from collections.abc import Iterable

from kirin_batch.models.messages import closest_name
from kirin_batch.problems import one_line

__all__ = ["closest_job", "hint"]


def closest_job(name: str, ids: Iterable[str]) -> str | None:
    """The id that was probably meant by an id or a name, without its axes where those were not named."""
    forms: dict[str, str] = {}
    for id_ in ids:
        plain = id_.partition("[")[0]
        for form in (id_, plain):
            forms.setdefault(form, form)
            forms.setdefault(form.partition(":")[2], form)
    near = closest_name(name, forms)
    return forms[near] if near else None


def hint(meant: str | None) -> str:
    """`; did you mean …?`, where something was; a name may hold anything."""
    return f"; did you mean {one_line(meant)}?" if meant else ""
