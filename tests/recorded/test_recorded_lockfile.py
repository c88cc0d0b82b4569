"""kirin.lock: what is written is read again, to the byte; what cannot be trusted is an error that names its line."""

from dataclasses import replace
from pathlib import Path

import pytest
from job_samples import picture, record_of

from kirin_batch.errors import KirinError
from kirin_batch.lockfile import load_lockfile, read_record, render_lockfile, save_lockfile
from kirin_batch.records import Mismatch, Output, Record, Status, TaskError

HEADER = b'{"kirin_lock":1}\n'
RECORD = Record(
    job="launch:poster[place=city]",
    model="kirin_v2_image",
    status=Status.COMPLETED,
    digest="a" * 64,
    external_task_id="kb-1",
    created_at="2026-01-31T12:00:00Z",
    take=2,
    attempt=3,
    task_id="t-1",
    cost="0.0280",
    element_id=2**64 - 1,
    outputs=(
        Output("https://r.example/1", "image", "outputs/1.png", "b" * 64, 5),
        Output("https://r.example/2", "image"),
    ),
    finished_at="2026-01-31T12:01:00Z",
)
EARLIER = replace(
    RECORD, status=Status.FAILED, task_id=None, cost=None, element_id=None, outputs=(), error=TaskError("006", "näh")
)
GOLDEN = (
    '{"job":"launch:poster[place=city]","model":"kirin_v2_image","status":"completed","digest":"' + "a" * 64 + '",'
    '"take":2,"attempt":3,"external_task_id":"kb-1","task_id":"t-1","cost":"0.0280","error":null,'
    '"element_id":18446744073709551615,"outputs":[{"path":"outputs/1.png","sha256":"' + "b" * 64 + '","bytes":5,'
    '"type":"image","url":"https://r.example/1"},{"path":null,"sha256":null,"bytes":null,"type":"image",'
    '"url":"https://r.example/2"}],"created_at":"2026-01-31T12:00:00Z","finished_at":"2026-01-31T12:01:00Z",'
    '"earlier":[{"status":"failed","digest":"' + "a" * 64 + '","take":2,"attempt":3,"external_task_id":"kb-1",'
    '"task_id":null,"cost":null,"error":{"code":"006","message":"näh"},"element_id":null,"outputs":[],'
    '"created_at":"2026-01-31T12:00:00Z","finished_at":"2026-01-31T12:01:00Z"}]}'
)


def test_a_line_has_its_keys_in_a_fixed_order() -> None:
    lines = render_lockfile([replace(RECORD, earlier=(EARLIER,))]).decode().splitlines()
    assert lines == ['{"kirin_lock":1}', GOLDEN]


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    lockfile = tmp_path / "kirin.lock"
    records = {"launch:poster[place=city]": replace(RECORD, earlier=(EARLIER, replace(EARLIER, sandbox=True)))}
    save_lockfile(lockfile, records)
    assert load_lockfile(lockfile) == records
    assert list(tmp_path.iterdir()) == [lockfile]


def test_warnings_stand_before_the_mark_of_a_sandbox_and_only_where_there_are_some(tmp_path: Path) -> None:
    warned = replace(RECORD, warnings=(Mismatch("ratio", "16:9", "1:1", (1, 2)), Mismatch("count", "3", "2")))
    line = render_lockfile([replace(warned, sandbox=True)]).splitlines()[1]
    ratio = b'{"what":"ratio","asked":"16:9","got":"1:1","outputs":[1,2]}'
    count = b'{"what":"count","asked":"3","got":"2","outputs":[]}'
    told = b'"warnings":[' + ratio + b"," + count + b"]"
    assert line.endswith(b'"finished_at":"2026-01-31T12:01:00Z",' + told + b',"sandbox":true}')
    save_lockfile(tmp_path / "kirin.lock", {RECORD.job: replace(RECORD, earlier=(warned,))})
    assert load_lockfile(tmp_path / "kirin.lock")[RECORD.job].earlier == (warned,)
    assert b"warnings" not in render_lockfile([RECORD])


def test_a_warning_tells_both_values_and_the_results() -> None:
    assert str(Mismatch("ratio", "16:9", "1:1", (1,))) == "ratio: asked 16:9, got 1:1 (result 1)"
    assert str(Mismatch("count", "3", "2")) == "count: asked 3, got 2"


def test_a_link_to_the_lockfile_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kirin.lock").symlink_to("kept/lock")
    save_lockfile(tmp_path / "kirin.lock", {RECORD.job: RECORD})
    assert (tmp_path / "kirin.lock").is_symlink()
    assert load_lockfile(tmp_path / "kept" / "lock") == {RECORD.job: RECORD}


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.IN_FLIGHT, Status.UNKNOWN])
def test_every_status_that_is_recorded_makes_a_line_that_is_read(status: Status) -> None:
    record = replace(record_of(picture("s:a"), status), sandbox=status is Status.FAILED)
    assert read_record(render_lockfile([record]).splitlines()[1], "here") == record


def test_lines_are_sorted_by_job_in_any_order_of_records() -> None:
    records = [record_of(picture(id_)) for id_ in ("s:b", "s:a[x=2]", "r:z", "s:a")]
    text = render_lockfile(records)
    assert text == render_lockfile(reversed(records))
    assert [line.split(b'"')[3] for line in text.splitlines()[1:]] == [b"r:z", b"s:a", b"s:a[x=2]", b"s:b"]


def test_no_file_is_no_record_and_no_record_is_a_header(tmp_path: Path) -> None:
    lockfile = tmp_path / "kirin.lock"
    assert load_lockfile(lockfile) == {}
    save_lockfile(lockfile, {})
    assert lockfile.read_bytes() == HEADER
    assert load_lockfile(lockfile) == {}


def test_line_ends_of_windows_are_read(tmp_path: Path) -> None:
    lockfile = tmp_path / "kirin.lock"
    lockfile.write_bytes(render_lockfile([RECORD]).replace(b"\n", b"\r\n"))
    assert load_lockfile(lockfile) == {RECORD.job: RECORD}


LINE = render_lockfile([RECORD]).splitlines()[1]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "its first line is not the header. Restore it"),
        (b"\n", "its first line is not the header"),
        (LINE + b"\n", "its first line is not the header"),
        (b"[]\n", "its first line is not the header"),
        (b'{"kirin_lock":2}\n', "has version 2, this program reads version 1: update kirin-batch"),
        (HEADER + LINE + b"\n" + LINE + b"\n", "line 3: the job launch:poster[place=city] stands there twice"),
        (HEADER + LINE[:-9] + b"\n", "line 2: not JSON"),
        (HEADER + b"\n", "line 2: not JSON"),
        (HEADER + LINE + b"\n" + HEADER, "line 3: no record of a job"),
        (HEADER + b"3\n", "line 2: no record of a job"),
        (HEADER + LINE.replace(b"completed", b"blocked"), "line 2: no record of a job"),
        (HEADER + LINE.replace(b'"take":2', b'"take":0'), "line 2: no record of a job"),
        (HEADER + LINE.replace(b'"kb-1"', b"null"), "line 2: no record of a job"),
        (HEADER + LINE.replace(b'"earlier"', b'"later"').replace(b'"cost"', b'"price"'), "line 2: no record of a job"),
        (b"<<<<<<< HEAD\n" + HEADER, "ends within a merge conflict. Restore"),
        (HEADER + b"<<<<<<< HEAD\n" + LINE + b"\n=======\n", "ends within a merge conflict"),
        (HEADER + b"<<<<<<< HEAD\n<<<<<<< HEAD\n", "line 3: a mark of a merge conflict at the wrong place"),
        (HEADER + b"||||||| base\n", "line 2: a mark of a merge conflict at the wrong place"),
        (HEADER + b"<<<<<<< a\n>>>>>>> b\n", "line 3: a mark of a merge conflict at the wrong place"),
        (HEADER + b"<<<<<<< a\n=======\n{}\n>>>>>>> b\n", "line 4: no record of a job"),
        (b"<<<<<<< a\n=======\n" + HEADER + b">>>>>>> b\n", "its first line is not the header"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_an_error_that_says_where(tmp_path: Path, data: bytes, told: str) -> None:
    lockfile = tmp_path / "kirin.lock"
    lockfile.write_bytes(data)
    with pytest.raises(KirinError) as error:
        load_lockfile(lockfile)
    assert told in str(error.value)
    assert str(error.value).startswith("kirin.lock")
    assert lockfile.read_bytes() == data


def test_a_lockfile_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "kirin.lock").mkdir()
    with pytest.raises(KirinError, match=r"kirin\.lock cannot be read: Is a directory"):
        load_lockfile(tmp_path / "kirin.lock")


def conflict(ours: bytes, theirs: bytes, *, base: bytes | None = None, label: bytes = b"HEAD") -> bytes:
    """What git leaves where both sides changed the same lines; with a base in its style `diff3`."""
    middle = b"" if base is None else b"||||||| 1a2b3c\n" + base
    return b"<<<<<<< " + label + b"\n" + ours + middle + b"=======\n" + theirs + b">>>>>>> topic\n"


def lines(*jobs: str, attempt: int = 1) -> bytes:
    records = [replace(record_of(picture(job)), attempt=attempt) for job in jobs]
    return b"".join(render_lockfile([record]).split(b"\n", 1)[1] for record in records)


def test_a_merge_conflict_is_the_union_of_its_sides(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lockfile = tmp_path / "kirin.lock"
    lockfile.write_bytes(
        HEADER
        + lines("s:a")
        + conflict(lines("s:b"), lines("s:c", "s:d"), base=lines("s:gone"))
        + lines("s:e")
        + conflict(b"", lines("s:f"))
    )
    assert list(load_lockfile(lockfile)) == ["s:a", "s:b", "s:c", "s:d", "s:e", "s:f"]
    assert [record.getMessage() for record in caplog.records] == [
        "kirin.lock holds a merge conflict: both sides count, and the next run writes them as one"
    ]


def test_of_a_job_that_both_sides_of_a_conflict_paid_for_both_tasks_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = record_of(picture("s:a"))
    second = replace(first, attempt=2, external_task_id="kb-2", task_id="t-2", created_at="2026-02-01T00:00:00Z")
    sides = [render_lockfile([record]).split(b"\n", 1)[1] for record in (second, first)]
    (tmp_path / "kirin.lock").write_bytes(HEADER + conflict(*sides))
    assert load_lockfile(tmp_path / "kirin.lock") == {"s:a": replace(first, earlier=(second,))}
    assert "as tasks t-2 and task-1; task-1 is used" in caplog.records[1].getMessage()


def test_a_conflict_of_whole_files_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "kirin.lock").write_bytes(conflict(HEADER + lines("s:a"), HEADER + lines("s:b")))
    assert list(load_lockfile(tmp_path / "kirin.lock")) == ["s:a", "s:b"]
