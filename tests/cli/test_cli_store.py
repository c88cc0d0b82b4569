"""A store keeps results by content: what one clone ran, another one has back, without a key and without the gateway."""

import asyncio
import hashlib
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from circumstances import PATIENCE_SECONDS, wait_until
from stores import StorePlace, open_place
from studio import Ran, Studio, open_studio, plain_picture

from kirin_batch.lockfile import save_lockfile


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.soak)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StorePlace]:
    with open_place(request.param, tmp_path, monkeypatch) as place:
        yield place


@pytest.fixture
def studio(
    place: StorePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Studio]:
    root = tmp_path / "project"
    root.mkdir()
    (root / "kirin.yaml").write_text(f"version: 1\nstore: {place.url}\n")
    monkeypatch.chdir(root)
    with open_studio(root, monkeypatch, capsys) as studio:
        yield studio


def make(studio: Studio, **prompts: str) -> Ran:
    studio.prompts(**prompts)
    ran = studio.run("run")
    assert ran.code == 0, ran.err
    return ran


def contents(studio: Studio, root: Path | None = None) -> dict[str, bytes]:
    """The results on disk, by path."""
    root = root or studio.root
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.glob("outputs/**/*.*"))}


def by_key(contents: dict[str, bytes]) -> dict[str, bytes]:
    hashes = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    return {
        f"sha256/{hashes[path][:2]}/{hashes[path]}{Path(path).suffix}": content for path, content in contents.items()
    }


def clone(studio: Studio, folder: Path) -> Path:
    """What git would bring elsewhere: no outputs, no state."""
    for name in ("kirin.yaml", "kirin.lock"):
        folder.mkdir(exist_ok=True)
        shutil.copy(studio.root / name, folder)
    shutil.copytree(studio.root / "specs", folder / "specs")
    return folder


def test_results_are_kept_by_content_as_they_arrive_and_once(studio: Studio, place: StorePlace) -> None:
    place.make()
    make(studio, one="a", two="b", three="c")
    kept = place.objects()
    assert kept == by_key(contents(studio))
    assert len(kept) == 3
    before = studio.files()
    for key in kept:
        place.remove(key)
    assert studio.run("run").code == 0
    assert (studio.files(), place.objects()) == (before, {})  # a run with nothing to do asks nobody


def test_another_clone_has_all_back_without_a_key_and_without_the_gateway(
    studio: Studio, place: StorePlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.make()
    make(studio, one="a", two="b", three="c")
    other = clone(studio, tmp_path / "other")
    monkeypatch.delenv("KIRIN_API_KEY")
    asked = (studio.books.queries, studio.books.creates, len(studio.downloads))
    ran = studio.run("fetch", "-C", str(other))
    assert (ran.code, ran.out) == (0, "3 of 3 missing results fetched; 3 came from the store\n")
    assert contents(studio, other) == contents(studio)
    assert (other / "kirin.lock").read_bytes() == (studio.root / "kirin.lock").read_bytes()
    assert (studio.books.queries, studio.books.creates, len(studio.downloads)) == asked
    assert studio.run("run", "-C", str(other)).code == 0
    assert studio.run("verify", "-C", str(other)).out == "3 ok\n"


def test_a_run_of_another_clone_takes_results_from_the_store_too(
    studio: Studio, place: StorePlace, tmp_path: Path
) -> None:
    place.make()
    make(studio, one="a")
    other = clone(studio, tmp_path / "other")
    (other / "specs" / "film.yaml").write_text(
        "version: 1\ndefaults: {model: kirin_v2_image}\n"
        "jobs:\n  one: {params: {prompt: a}}\n  two: {params: {prompt: b}}\n"
    )
    assert studio.run("run", "-C", str(other)).code == 0
    assert (studio.books.creates, len(studio.downloads), len(place.objects())) == (2, 2, 2)
    assert by_key(contents(studio, other)) == place.objects()


def test_a_store_that_takes_nothing_fails_no_job_and_gets_it_later(studio: Studio, place: StorePlace) -> None:
    ran = make(studio, one="a", two="b")
    assert f"note: the store {place.url} failed: " in ran.err
    assert "2 results are not in it, and the next run or fetch tries again" in ran.err
    place.make()
    told = studio.run("fetch")
    assert (told.code, told.out) == (0, "nothing is missing; 2 went into the store\n")
    assert place.objects() == by_key(contents(studio))


def test_what_the_store_lost_is_put_there_again_by_fetch(studio: Studio, place: StorePlace) -> None:
    place.make()
    make(studio, one="a", two="b")
    lost = next(iter(place.objects()))
    place.remove(lost)
    assert studio.run("fetch", "--format", "json").json["store"] == {"brought": 0, "kept": 1}
    assert place.objects() == by_key(contents(studio))


def test_what_was_cut_off_in_the_store_is_put_there_again(studio: Studio, place: StorePlace) -> None:
    place.make()
    make(studio, one="a", two="b")
    whole = place.objects()
    key = next(iter(whole))
    place.put(key, whole[key][:-5])
    (studio.root / ".kirin" / "stored.txt").unlink()  # as on another clone
    assert studio.run("run").code == 0
    assert place.objects() == whole


def test_a_damaged_result_is_told_taken_from_the_gateway_and_mended(studio: Studio, place: StorePlace) -> None:
    place.make()
    make(studio, one="a")
    [key], made = place.objects(), contents(studio)
    place.put(key, b"something else")
    studio.result("film:one").unlink()
    ran = studio.run("fetch")
    assert (ran.code, contents(studio)) == (0, made)
    assert f"holds something else as {key}; what it may have is asked of the gateway" in ran.err
    assert place.objects() == by_key(made)


def test_what_the_store_lacks_comes_from_the_gateway_and_is_told_where_it_is_gone(
    studio: Studio, place: StorePlace
) -> None:
    place.make()
    make(studio, one="a", two="b")
    made = contents(studio)
    place.remove(next(key for key, content in place.objects().items() if content == made[min(made)]))
    shutil.rmtree(studio.root / "outputs")
    studio.serve_result = lambda _request: web.Response(status=404)
    ran = studio.run("fetch")
    assert (ran.code, "gone     film:one" in ran.out) == (1, True)
    assert ran.out.endswith("1 of 2 missing results fetched, 1 gone; 1 came from the store\n")
    studio.serve_result = None
    assert (studio.run("fetch").code, contents(studio)) == (0, made)
    assert place.objects() == by_key(made)


def test_what_somebody_edited_is_not_kept_as_the_result(studio: Studio, place: StorePlace) -> None:
    make(studio, one="a", two="b")
    studio.result("film:one").write_bytes(plain_picture("edited"))
    place.make()
    assert studio.run("run").code == 0
    assert list(place.objects().values()) == [studio.result("film:two").read_bytes()]


def test_what_a_sandbox_made_up_is_not_kept(studio: Studio, place: StorePlace) -> None:
    place.make()
    studio.prompts(one="a")
    assert studio.run("run", "--sandbox").code == 0
    assert "1 of these results comes from the sandbox" in studio.run("run").err
    assert place.objects() == {}


def test_a_lockfile_leads_the_store_to_no_place_outside_the_project(studio: Studio, place: StorePlace) -> None:
    place.make()
    make(studio, one="a")
    records = dict(studio.records)
    [output] = records["film:one"].outputs
    outside = studio.root.parent / f"outside{Path(str(output.path)).suffix}"
    records["film:one"] = replace(records["film:one"], outputs=(replace(output, path=f"../{outside.name}"),))
    save_lockfile(studio.root / "kirin.lock", records)
    studio.run("fetch")
    assert not outside.exists()


def test_status_warns_only_of_what_the_store_does_not_have(studio: Studio, place: StorePlace, tmp_path: Path) -> None:
    place.make()
    make(studio, one="a", two="b", three="c")
    other = str(clone(studio, tmp_path / "other"))
    assert studio.run("status", "-C", other).err == ""
    for key in sorted(place.objects())[:2]:
        place.remove(key)
    assert "2 results exist only as URLs, of 2 jobs" in studio.run("status", "-C", other).err
    assert not (tmp_path / "other" / ".kirin" / "stored.txt").exists()


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_status_tells_that_the_store_could_not_be_asked(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    make(studio, one="a")
    studio.result("film:one").unlink()
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    told = studio.run("status").err
    assert "1 result exists only as a URL" in told
    assert "/of/this project failed: " in told
    assert ": it may have some of them" in told


def test_a_result_is_in_the_store_before_the_run_ends(studio: Studio, place: StorePlace) -> None:
    place.make()
    studio.prompts(one="a", two="b")
    served = iter([web.Response(body=plain_picture("one"))])

    async def serve_one(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/model/"):
            return await handler(request)
        if first := next(served, None):
            return first
        await asyncio.sleep(60)
        raise AssertionError

    studio.wrap = serve_one
    run = studio.start("run")
    wait_until(lambda: list(place.objects().values()) == [plain_picture("one")])
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 130


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_a_store_that_does_not_answer_does_not_hold_an_interrupted_run(studio: Studio) -> None:
    studio.prompts(one="a")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        run = studio.start("run", AWS_ENDPOINT_URL=address)
        silent.settimeout(PATIENCE_SECONDS)
        with silent.accept()[0]:
            wait_until(lambda: studio.records.get("film:one") is not None and len(studio.outputs()) == 1)
            run.send_signal(signal.SIGINT)
            _, err = run.communicate(timeout=5)
    assert (run.returncode, "interrupted" in err) == (130, True), err
    assert studio.run("status", "--format", "json").statuses == {"film:one": "completed"}


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_a_bucket_without_the_extra_is_told(studio: Studio) -> None:
    studio.prompts(one="a")
    script = (
        "import sys; sys.modules['s3fs'] = None\n"
        "from kirin_batch.cli.main import run_command_line\nsys.exit(run_command_line(['run']))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert (ran.returncode, studio.books.creates) == (2, 0)
    assert "pip install 'kirin-batch[s3]'" in ran.stderr


def test_a_folder_in_place_of_a_result_is_told_and_the_gateway_is_asked(
    studio: Studio, place: StorePlace, tmp_path: Path
) -> None:
    if not place.url.startswith("file://"):
        pytest.skip("a bucket has no folders")
    place.make()
    make(studio, one="a")
    [key] = place.objects()
    place.remove(key)
    (Path(place.url.removeprefix("file://")) / key).mkdir()
    made = contents(studio)
    shutil.rmtree(studio.root / "outputs")
    ran = studio.run("fetch")
    assert (ran.code, f"holds a folder as {key}" in ran.err) == (0, True)
    assert contents(studio) == made
    assert not list(tmp_path.rglob("*.kirin-part"))


def test_a_result_of_an_earlier_take_is_known_where_what_comes_from_the_store_puts_it(
    studio: Studio, place: StorePlace
) -> None:
    place.make()
    make(studio, one="a")
    file = studio.result("film:one")
    first = file.read_bytes()
    file.unlink()
    studio.spec("  one: {take: 2, params: {prompt: a}}")
    assert studio.run("run").code == 0
    file.write_bytes(first)  # another clone has the first take still, and now the lockfile of this one
    assert studio.run("fetch").code == 0
    [earlier] = studio.records["film:one"].earlier
    assert (studio.root / str(earlier.outputs[0].path)).read_bytes() == first
    assert file.read_bytes() != first
