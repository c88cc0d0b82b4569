"""What is kept of sound specs gives the very jobs and problems that reading them again would."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from cases_corpus import ENVIRON, cases, make_root, name_of, read_case
from spec_projects import CATALOG, draw, save_specs

from kirin_batch.project import Project, Settings, load_project
from kirin_batch.specs.loading import Specs, load_specs

LATER_NS = 10_000_000_000
CHAIN = {
    "specs/a.yaml": """\
version: 1
vars: {mood: at dawn}
defaults: {model: kirin_v2_image, params: {aspect_ratio: 16:9}}
jobs:
  hero: {params: {prompt: "A fox, ${{ vars.mood }}", image: ../pictures/fox.png}, tags: [fox, 7]}
  poster:
    matrix: {place: [forest, "city, at 5%"], ratio: [16:9, 9:16]}
    params: {prompt: "The fox in the ${{ matrix.place }}", aspect_ratio: "${{ matrix.ratio }}"}
""",
    "specs/b.yaml": """\
version: 1
jobs:
  clip:
    model: kirin_v3_i2v
    params: {image: "${{ jobs.a:hero.url }}", prompt: it walks, duration: 5, sound: on}
  cards:
    needs: [clip]
    model: kirin_v2_image
    params: {prompt: "cards ${{ env.MOOD }}", external_task_id: own-id}
""",
    "specs/c.yaml": "version: 1\njobs: {last: {model: kirin_v2_image, params: {prompt: A wolf}, needs: [b:cards]}}\n",
}
SETTINGS = Settings(env=("MOOD",))


def read(root: Path, *, begun_ns: int | None = None, settings: Settings = SETTINGS, mood: str = "at dusk") -> Specs:
    return load_specs(Project(root, settings), CATALOG, environ={"MOOD": mood}, begun_ns=begun_ns)


def read_kept(root: Path, *, settings: Settings = SETTINGS, mood: str = "at dusk") -> Specs:
    """As if ten seconds later, when all files are old enough to go by how they look."""
    return read(root, begun_ns=time.time_ns() + LATER_NS, settings=settings, mood=mood)


def told(specs: Specs) -> object:
    return list(specs.jobs.items()), specs.problems, specs.files, specs.job_files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of which everything is kept."""
    draw(tmp_path / "pictures" / "fox.png")
    save_specs(tmp_path, CHAIN)
    assert read_kept(tmp_path).problems == ()
    return tmp_path


def test_all_sound_cases_are_kept_as_they_are(tmp_path: Path) -> None:
    root = make_root(tmp_path)
    for path in cases("valid"):
        specs = read_case(path).load(root)
        project = load_project(root, is_root=True, environ={})
        for _ in range(2):
            kept = load_specs(project, CATALOG, environ=ENVIRON, begun_ns=time.time_ns() + LATER_NS)
            assert told(kept) == told(specs), name_of(path)


def test_what_is_kept_is_what_is_read(root: Path) -> None:
    assert told(read_kept(root)) == told(read(root))


def test_a_kept_spec_is_not_read(root: Path) -> None:
    assert specs_opened_while_reading(root) == []
    (root / "specs/c.yaml").touch()
    assert specs_opened_while_reading(root) == [str(root / "specs/c.yaml")]


def test_a_spec_that_was_young_when_it_was_read_is_read_again(tmp_path: Path) -> None:
    save_specs(tmp_path, {"specs/c.yaml": "version: 1\njobs: {a: {model: kirin_v2_image, params: {prompt: A wolf}}}\n"})
    read(tmp_path, begun_ns=time.time_ns())
    assert specs_opened_while_reading(tmp_path) == [str(tmp_path / "specs/c.yaml")]
    assert specs_opened_while_reading(tmp_path) == []  # by now it was old enough


def specs_opened_while_reading(root: Path) -> list[str]:
    opened: list[str] = []
    is_over = False

    def watch(event: str, args: tuple[object, ...]) -> None:
        if event == "open" and not is_over and str(args[0]).endswith(".yaml"):
            opened.append(str(args[0]))

    sys.addaudithook(watch)  # which nothing can take away again
    read_kept(root)
    is_over = True
    return opened


CHANGES: Mapping[str, Mapping[str, str]] = {
    "a job that others need is another one": {"specs/a.yaml": CHAIN["specs/a.yaml"].replace("A fox", "A cat")},
    "a job that others need is gone": {"specs/a.yaml": CHAIN["specs/a.yaml"].replace("hero:", "heroine:")},
    "a job that others need is faulty": {"specs/a.yaml": CHAIN["specs/a.yaml"].replace('prompt: "A f', 'promt: "A f')},
    "a job of a kept spec is there twice": {"specs/a.yml": CHAIN["specs/a.yaml"], "specs/b.yml": CHAIN["specs/b.yaml"]},
    "an id of a kept spec is given twice": {"specs/0.yaml": CHAIN["specs/b.yaml"]},
    "jobs wait for each other over a kept spec": {
        "specs/a.yaml": CHAIN["specs/a.yaml"].replace("tags: [fox, 7]", "needs: [c:last]")
    },
    "a film stands where a kept spec wants a picture": {
        "specs/a.yaml": CHAIN["specs/a.yaml"].replace(
            "  hero: {params: {", "  hero: {model: kirin_v3_i2v, params: {duration: 5, "
        )
    },
    "a spec is no YAML": {"specs/a.yaml": "jobs: ["},
    "a spec is empty": {"specs/a.yaml": ""},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_one_spec_is_told_of_all(root: Path, change: str) -> None:
    before = told(read_kept(root))
    save_specs(root, CHANGES[change])
    assert told(read_kept(root)) == told(read(root)) != before


def test_the_same_id_first_in_a_new_spec_is_told_at_the_kept_one(root: Path) -> None:
    (root / "specs/c.yaml").rename(root / "specs/z.yml")
    read_kept(root)
    save_specs(root, {"specs/z.yaml": (root / "specs/z.yml").read_text()})
    (problem,) = read_kept(root).problems
    assert (problem.file, problem.rule, problem.line) == ("specs/z.yml", "duplicate-job", 2)


def test_a_picture_that_changed_is_another_one(root: Path) -> None:
    digest = read_kept(root).jobs["a:hero"].digest
    picture = root / "pictures/fox.png"
    before = picture.stat()
    data = bytearray(picture.read_bytes())
    data[len(data) // 2] ^= 1
    picture.write_bytes(data)
    os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read_kept(root).jobs["a:hero"].digest == read(root).jobs["a:hero"].digest != digest


def test_a_picture_that_does_not_fit_any_more_is_told(root: Path) -> None:
    draw(root / "pictures/fox.png", size=(20, 20))
    assert told(read_kept(root)) == told(read(root))
    assert [problem.rule for problem in read_kept(root).problems] == ["x-image"]


def test_a_variable_that_changed_is_seen(root: Path) -> None:
    assert read_kept(root, mood="at noon").jobs["b:cards"].params["prompt"] == "cards at noon"


@pytest.mark.parametrize(
    "settings",
    [
        Settings(env=("MOOD",), namespace="other"),
        Settings(env=("MOOD",), outputs="made/{digest}/{index}"),
        Settings(env=("MOOD",), slots={"image": 10, "video": 0}),
        Settings(env=()),
    ],
)
def test_settings_that_changed_are_seen(root: Path, settings: Settings) -> None:
    before = told(read_kept(root))
    assert told(read_kept(root, settings=settings)) == told(read(root, settings=settings)) != before


def test_a_young_spec_is_known_by_its_content_alone(root: Path) -> None:
    spec = root / "specs/c.yaml"
    for prompt in ("A bear", "A deer", "A crow"):
        before = spec.stat()
        spec.write_text(CHAIN["specs/c.yaml"].replace("A wolf", prompt))
        os.utime(spec, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert read(root, begun_ns=time.time_ns()).jobs["c:last"].params["prompt"] == prompt


def test_a_spec_behind_a_link_is_read_each_time(root: Path) -> None:
    (root / "specs/c.yaml").rename(root / "c.yaml")
    (root / "specs/c.yaml").symlink_to(root / "c.yaml")
    read_kept(root)
    (root / "other.yaml").write_text(CHAIN["specs/c.yaml"].replace("A wolf", "A bear"))
    (root / "specs/c.yaml").unlink()
    (root / "specs/c.yaml").symlink_to(root / "other.yaml")
    assert read_kept(root).jobs["c:last"].params["prompt"] == "A bear"


def test_nothing_is_written_where_it_is_not_asked_for(tmp_path: Path) -> None:
    draw(tmp_path / "pictures" / "fox.png")
    save_specs(tmp_path, CHAIN)
    read(tmp_path)
    assert not (tmp_path / ".kirin").exists()
