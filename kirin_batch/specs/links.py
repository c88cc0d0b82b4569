"""What jobs want of each other: references and `needs` resolved to job ids, and the order that follows from them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kirin_batch.jobs import Link, LinkedText
from kirin_batch.pointers import Pointer
from kirin_batch.specs.drafts import Draft
from kirin_batch.specs.expressions import JobReference, parse_need
from kirin_batch.specs.scope import did_you_mean

__all__ = ["link_drafts", "sort_by_need"]

_Instances = Mapping[tuple[str, str], Sequence[Draft]]


def link_drafts(drafts: Sequence[Draft]) -> None:
    """Fill in what each draft needs and what its references link to; faults become problems of the draft."""
    instances: dict[tuple[str, str], list[Draft]] = {}
    for draft in drafts:
        instances.setdefault((draft.sheet.spec, draft.name), []).append(draft)
    for draft in drafts:
        needed = dict.fromkeys(_explicit_needs(draft, instances))
        for pointer, template in draft.templates.items():
            parts = [
                _link(draft, part, pointer, instances) if isinstance(part, JobReference) else str(part)
                for part in template.parts
            ]
            linked = tuple(part for part in parts if part is not None)
            if len(linked) == len(parts):
                draft.links[pointer] = LinkedText(linked)
                needed |= dict.fromkeys(part.job for part in linked if isinstance(part, Link))
        draft.needed = tuple(needed)


def _explicit_needs(draft: Draft, instances: _Instances) -> Iterator[str]:
    for index, need in enumerate(draft.needs):
        spec, name, axes = parse_need(need)
        found = instances.get((spec or draft.sheet.spec, name), ())
        matching = [other.id for other in found if axes.items() <= other.instance.axes.items()]
        if not matching:
            known = _known_names(draft, instances)
            draft.complain(
                "reference", f"needs {need}, which is no job{did_you_mean(need, known)}", path=("needs", index)
            )
        yield from matching


def _known_names(draft: Draft, instances: _Instances) -> list[str]:
    return [name if spec == draft.sheet.spec else f"{spec}:{name}" for spec, name in instances]


def _link(draft: Draft, reference: JobReference, pointer: Pointer, instances: _Instances) -> Link | None:
    spec = reference.spec or draft.sheet.spec
    found = instances.get((spec, reference.name), ())
    wanted = f"{reference.spec}:{reference.name}" if reference.spec else reference.name
    if not found:
        told = f"{reference.text}: there is no job {wanted}{did_you_mean(wanted, _known_names(draft, instances))}"
        draft.complain("reference", told, parameter=pointer)
        return None
    matching = [other for other in found if _agrees(draft, reference, other)]
    if len(matching) != 1:
        some = ", ".join(other.id.partition(":")[2] for other in (matching or found)[:3])
        count = "none of its instances has equal axes" if not matching else f"{len(matching)} of its instances match"
        draft.complain("reference", f"{reference.text}: {count}: name one, such as {some}", parameter=pointer)
        return None
    if fault := _field_fault(reference, matching[0]):
        draft.complain("reference", f"{reference.text}: {fault}", parameter=pointer)
        return None
    return Link(matching[0].id, reference.field.name, reference.field.index)


def _agrees(draft: Draft, reference: JobReference, other: Draft) -> bool:
    """Whether an instance has the axes that the reference names, and those of the referring job for the rest."""
    theirs = other.instance.axes
    if not reference.axes.items() <= theirs.items():
        return False
    ours = draft.instance.axes
    return all(theirs[name] == ours[name] for name in theirs if name in ours and name not in reference.axes)


def _field_fault(reference: JobReference, target: Draft) -> str:
    field, model = reference.field, target.model
    if field.name == "task_id":
        return ""
    is_media = model.result_type != "text"
    if (field.name == "element_id") == is_media or (not is_media and field.name not in model.result_fields):
        has = ", ".join(model.result_fields) if not is_media else "url, urls[N] and file"
        return f"a job of {model.name} has no {field.name}; it has {has}"
    if field.index >= model.result_count(target.params) and is_media:
        return f"{target.id} makes {model.result_count(target.params)} results, counted from 0"
    return ""


def sort_by_need(drafts: Iterable[Draft]) -> list[Draft]:
    """Drafts behind what they need, otherwise in order; those on a cycle are left out, with a problem each cycle."""
    by_id = {draft.id: draft for draft in drafts}
    done: dict[str, Draft] = {}
    hopeless: set[str] = set()
    for draft in by_id.values():
        _visit(draft, by_id, done, hopeless)
    return list(done.values())


def _visit(start: Draft, by_id: Mapping[str, Draft], done: dict[str, Draft], hopeless: set[str]) -> None:
    # With a stack of its own: a chain of jobs may be longer than Python's.
    path = {start.id: iter(start.needed)}
    while path:
        current, needs = next(reversed(path.items()))
        need = next((need for need in needs if need in by_id and need not in done), None)
        if need is None:
            del path[current]
            if current not in hopeless:
                done[current] = by_id[current]
        elif need in path or need in hopeless:
            if need in path:
                cycle = list(path)[list(path).index(need) :]
                told = " → ".join([*cycle, need])
                by_id[current].complain("cycle", f"these jobs wait for each other for ever: {told}")
            hopeless.update(path)
        else:
            path[need] = iter(by_id[need].needed)
