"""What jobs want of each other: references and `needs` resolved to job ids, and the order that follows from them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from kirin_batch.jobs import Link, LinkedText
from kirin_batch.pointers import Pointer
from kirin_batch.specs.drafts import Draft
from kirin_batch.specs.expressions import ExpressionError, JobReference, parse_need
from kirin_batch.specs.scope import did_you_mean
from kirin_batch.specs.sheets import Sheet

__all__ = ["Unknown", "link_drafts", "sort_by_need"]

_SHOWN_OF_CYCLE = 8


@dataclass(frozen=True, slots=True)
class Unknown:
    """What could not be read, by spec and by spec and name: whether a job is there shows when that is mended."""

    specs: AbstractSet[str] = frozenset()
    jobs: AbstractSet[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, sheets: Iterable[Sheet], *, specs: Iterable[str]) -> "Unknown":
        """What is unknown of sheets, and `specs` that are none because their files are no YAML."""
        known = list(sheets)
        return cls(
            {*specs, *(sheet.spec for sheet in known if sheet.is_unknown)},
            {(sheet.spec, name) for sheet in known for name in sheet.unknown},
        )

    def has(self, spec: str, name: str) -> bool:
        """Whether nobody knows that job, or all of its instances."""
        return spec in self.specs or (spec, name) in self.jobs


def link_drafts(drafts: Sequence[Draft], unknown: Unknown) -> None:
    """Fill in what each draft needs and what its references link to; faults become problems of the draft.

    A draft that wants something unknown is faulty, and says nothing: the fault is told where it is.
    """
    linking = [draft for draft in drafts if draft.needs or draft.templates or draft.beside_faults]
    linker = _Linker(drafts if linking else (), unknown)
    for draft in linking:
        needed = dict.fromkeys(linker.explicit_needs(draft))
        for pointer, template in draft.templates.items():
            parts = [
                linker.link(draft, part, pointer) if isinstance(part, JobReference) else str(part)
                for part in template.parts
            ]
            linked = tuple(part for part in parts if part is not None)
            if len(linked) == len(parts):
                draft.links[pointer] = LinkedText(linked)
                needed |= dict.fromkeys(part.job for part in linked if isinstance(part, Link))
        draft.needed = tuple(needed)
        for pointer, references in draft.beside_faults.items():
            for reference in references:
                linker.link(draft, reference, pointer)  # for its faults alone: the text yields nothing


class _Instances:
    """The instances of one job, found by their axes without a look at each: two matrices may have thousands."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self._by_axes: dict[tuple[str, ...], list[Draft]] = {}
        self._indexes: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[tuple[str, ...], list[Draft]]] = {}

    def add(self, draft: Draft) -> None:
        self.drafts.append(draft)
        self._by_axes.setdefault(tuple(draft.instance.axes), []).append(draft)

    def find(self, named: Mapping[str, str], ours: Mapping[str, str]) -> list[Draft]:
        """Those that have the axes that a reference names, and for the rest agree with ours where they have them."""
        found: list[Draft] = []
        wanted = {**ours, **named}
        for axes in self._by_axes:
            if all(name in axes for name in named):
                shared = tuple(name for name in axes if name in wanted)
                found += self._index(axes, shared).get(tuple(wanted[name] for name in shared), ())
        return found

    def _index(self, axes: tuple[str, ...], shared: tuple[str, ...]) -> dict[tuple[str, ...], list[Draft]]:
        if (axes, shared) not in self._indexes:
            index = self._indexes[axes, shared] = {}
            for draft in self._by_axes[axes]:
                index.setdefault(tuple(draft.instance.axes[name] for name in shared), []).append(draft)
        return self._indexes[axes, shared]


_NONE = _Instances()


class _Linker:
    def __init__(self, drafts: Iterable[Draft], unknown: Unknown) -> None:
        self._unknown = unknown
        self._instances: dict[tuple[str, str], _Instances] = {}
        for draft in drafts:
            self._instances.setdefault((draft.sheet.spec, draft.name), _Instances()).add(draft)
        self._hints: dict[tuple[str, str], str] = {}  # by spec and what was written there

    def explicit_needs(self, draft: Draft) -> Iterator[str]:
        for index, need in enumerate(draft.needs):
            try:
                spec, name, axes = parse_need(need)
            except ExpressionError as error:
                draft.complain("reference", str(error), path=("needs", index))
                continue
            found = self._found(draft, spec, name)
            matching = found.find(axes, {})
            if not matching and not self._is_unknown(draft, spec, name):
                hint = "; its instances have other axes" if found.drafts else self._hint(draft, need)
                draft.complain("reference", f"needs {need}, which is no job{hint}", path=("needs", index))
            yield from (other.id for other in matching)

    def link(self, draft: Draft, reference: JobReference, pointer: Pointer) -> Link | None:
        found = self._found(draft, reference.spec, reference.name)
        matching = found.find(reference.axes, draft.instance.axes)
        fault = ""
        if len(matching) == 1:
            fault = _field_fault(reference, matching[0])
        elif not self._is_unknown(draft, reference.spec, reference.name):
            fault = _ambiguity(matching, found.drafts) if found.drafts else self._absence(draft, reference)
        if fault:
            draft.complain("reference", f"{reference.text}: {fault}", parameter=pointer)
        if fault or len(matching) != 1:
            return None
        return Link(matching[0].id, reference.field.name, reference.field.index)

    def _found(self, draft: Draft, spec: str | None, name: str) -> _Instances:
        return self._instances.get((spec or draft.sheet.spec, name), _NONE)

    def _is_unknown(self, draft: Draft, spec: str | None, name: str) -> bool:
        if not self._unknown.has(spec or draft.sheet.spec, name):
            return False
        draft.is_faulty = True
        return True

    def _absence(self, draft: Draft, reference: JobReference) -> str:
        wanted = f"{reference.spec}:{reference.name}" if reference.spec else reference.name
        return f"there is no job {wanted}{self._hint(draft, wanted)}"

    def _hint(self, draft: Draft, wanted: str) -> str:
        spec = draft.sheet.spec
        if (spec, wanted) not in self._hints:  # the search is slow among thousands of names
            known = [name if other == spec else f"{other}:{name}" for other, name in self._instances]
            self._hints[spec, wanted] = did_you_mean(wanted, known)
        return self._hints[spec, wanted]


def _ambiguity(matching: Sequence[Draft], found: Sequence[Draft]) -> str:
    some = ", ".join(other.label for other in (matching or found)[:3])
    count = f"{len(matching)} of its instances match" if matching else "none of its instances has equal axes"
    return f"{count}: name one, such as {some}"


def _field_fault(reference: JobReference, target: Draft) -> str:
    field, model = reference.field, target.model
    if field.name == "task_id":
        return ""
    is_media = model.result_type != "text"
    if (field.name == "element_id") == is_media or (not is_media and field.name not in model.result_fields):
        has = "url, urls[N] and file" if is_media else ", ".join(model.result_fields)
        return f"a job of {model.name} has no {field.name}; it has {has}"
    return ""


def sort_by_need(drafts: Iterable[Draft]) -> list[Draft]:
    """Drafts behind what they need, otherwise in order; those on a cycle are left out, with a problem each cycle."""
    by_id = {draft.id: draft for draft in drafts}
    done: dict[str, Draft] = {}
    hopeless: set[str] = set()
    for draft in by_id.values():
        if not draft.needed:
            done[draft.id] = draft
        elif draft.id not in done and draft.id not in hopeless:
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
                ids = list(path)
                _complain_of_cycle(by_id[current], ids[ids.index(need) :])
            hopeless.update(path)
        else:
            path[need] = iter(by_id[need].needed)


def _complain_of_cycle(last: Draft, cycle: list[str]) -> None:
    """Tell of a cycle at the reference that closes it: the last job waits for the first."""
    shown = [*cycle, cycle[0]]
    if len(shown) > _SHOWN_OF_CYCLE:
        shown = [*shown[:4], f"({len(cycle) - 6} more)", *shown[-3:]]
    message = f"these jobs wait for each other for ever: {' → '.join(shown)}"
    for pointer, linked in last.links.items():
        if any(isinstance(part, Link) and part.job == cycle[0] for part in linked.parts):
            last.complain("cycle", message, parameter=pointer)
            return
    last.complain("cycle", message, path=("needs",))
