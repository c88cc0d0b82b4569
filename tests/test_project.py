"""The project: where its root is, what kirin.yaml and the environment say, and what is wrong with them."""

from decimal import Decimal
from pathlib import Path

import pytest

from kirin_batch.errors import ExitCode, KirinError, UsageError
from kirin_batch.project import InvalidSettingsError, Project, Settings, load_project

ALL = """\
version: 1
namespace: shop
specs: [jobs/*.yaml]
spec_max_mb: 0.5
result_max_mb: 100
outputs: results/{job}/
schemas: [more]
env: [MOOD]
allow_outside: true
gateway: {base_url: "http://localhost:8080", timeout: 5}
limits: {image: 3, video: 2, requests_per_second: 0.5, downloads: 4}
poll: {min: 2, max: 20.5}
retries: 0
timeout: {video: 60}
max_cost: "25.00"
prices: {kirin_v2_image: "0.028", kirin_v3_i2v: 0.1}
store: s3://bucket/results
"""


def load_text(root: Path, text: str, **environ: str) -> Settings:
    (root / "kirin.yaml").write_text(text)
    return load_project(root, environ=environ).settings


def test_a_folder_without_kirin_yaml_is_a_project_with_the_defaults(tmp_path: Path) -> None:
    assert load_project(tmp_path, environ={}) == Project(tmp_path.resolve(), Settings())


@pytest.mark.parametrize("text", ["", "# nothing set\n", "{}", "version: 1"])
def test_every_setting_may_be_left_out(tmp_path: Path, text: str) -> None:
    assert load_text(tmp_path, text) == Settings()


def test_kirin_yaml_sets_everything(tmp_path: Path) -> None:
    assert load_text(tmp_path, ALL) == Settings(
        namespace="shop",
        specs=("jobs/*.yaml",),
        spec_max_mb=0.5,
        result_max_mb=100.0,
        outputs="results/{job}/",
        schemas=("more",),
        base_url="http://localhost:8080",
        gateway_timeout=5.0,
        slots={"image": 3, "video": 2},
        requests_per_second=0.5,
        downloads=4,
        poll_min=2.0,
        poll_max=20.5,
        retries=0,
        timeouts={"image": 900.0, "video": 60.0},
        max_cost=Decimal("25.00"),
        prices={"kirin_v2_image": Decimal("0.028"), "kirin_v3_i2v": Decimal("0.1")},
        env=("MOOD",),
        allow_outside=True,
        store="s3://bucket/results",
    )


def test_the_root_is_the_nearest_folder_upwards_with_a_kirin_yaml(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    (tmp_path / "kirin.yaml").write_text("namespace: far")
    (tmp_path / "a" / "kirin.yaml").write_text("namespace: near")
    assert load_project(inner, environ={}).root == (tmp_path / "a").resolve()
    assert load_project(inner, environ={}).settings.namespace == "near"
    assert load_project(inner, is_root=True, environ={}) == Project(inner.resolve())


def test_a_folder_named_kirin_yaml_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "kirin.yaml").mkdir()
    assert load_project(tmp_path, environ={}).settings == Settings()


def test_the_root_has_no_links_in_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert load_project(tmp_path / "link", environ={}).root == (tmp_path / "real").resolve()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone is no folder"):
        load_project(tmp_path / "gone", environ={})


def test_the_environment_wins_over_kirin_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_text(tmp_path, ALL, KIRIN_BASE_URL="http://localhost:1", KIRIN_MAX_COST="0.50")
    assert (settings.base_url, settings.max_cost) == ("http://localhost:1", Decimal("0.50"))
    empty = load_text(tmp_path, ALL, KIRIN_BASE_URL="", KIRIN_MAX_COST="")
    assert (empty.base_url, empty.max_cost) == ("http://localhost:8080", Decimal("25.00"))
    monkeypatch.setenv("KIRIN_MAX_COST", "7")
    assert load_project(tmp_path).settings.max_cost == Decimal(7)


@pytest.mark.parametrize("text", ["-1", "abc", "NaN", "Infinity", "1,50"])
def test_a_wrong_amount_in_the_environment_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"KIRIN_MAX_COST is .*: give USD as a decimal number"):
        load_text(tmp_path, "", KIRIN_MAX_COST=text)


@pytest.mark.parametrize(
    ("text", "place", "rule", "message"),
    [
        ("version: 2", (1, 10), "const", "version is 2: 1 is the only value"),
        ("\noutput: x", (2, 1), "additionalProperties", "did you mean outputs?"),
        ("spec_max_mb: 0", (1, 14), "exclusiveMinimum", "spec_max_mb is 0: more than 0"),
        ("spec_max_mb: 8MB", (1, 14), "type", "a number is needed"),
        ("poll:\n  max: .nan", (2, 8), "type", "poll.max is not finite (.inf or .nan): give a number"),
        ("gateway: {timeout: -.inf}", (1, 20), "type", "gateway.timeout is not finite"),
        (".nan", (1, 1), "type", "the whole is not finite"),
        ("limits:\n  image: 0", (2, 10), "minimum", "limits.image is 0: at least 1"),
        ('retries: "3"', (1, 10), "type", "write it without quotes"),
        ("- a", (1, 1), "type", "a mapping is needed"),
        ("a: 1\na: 2", (2, 1), "yaml", "stands here twice"),
        ("poll: {min: 9,\n  max: 3}", (1, 13), "poll", "poll.min is 9 s, which is more than poll.max, 3 s"),
        ("limts: {image: 3}", (1, 1), "additionalProperties", "limts is not a setting here: did you mean limits?"),
        ("poll: {mn: 2}", (1, 8), "additionalProperties", "poll.mn is not a setting here: did you mean min?"),
        ("poll: {min: 60}", (1, 13), "poll", "poll.min is 60 s, which is more than poll.max, 30 s"),
        ("outputs: out/{name}", (1, 10), "outputs", "outputs has no {name}: take {spec}"),
        ("outputs: ../out", (1, 10), "outside", "../out is outside the project"),
        ("outputs: /var/out", (1, 10), "outside", "/var/out is outside the project"),
        ("env: [MOOD, KIRIN_API_KEY]", (1, 13), "not", "the API key is none of them"),
        ("gateway: {base_url: localhost}", (1, 21), "pattern", "base_url is no URL"),
        ('max_cost: "a lot"', (1, 11), "pattern", "an amount in USD is needed"),
        ("max_cost: -3", (1, 11), "pattern", "an amount in USD is needed"),
        ("result_max_mb: 0", (1, 16), "exclusiveMinimum", "result_max_mb is 0: more than 0"),
        ("store: bucket/results", (1, 8), "pattern", "store is file:///FOLDER"),
        ("store: file://results", (1, 8), "pattern", "store is file:///FOLDER"),
        ("store: file:///", (1, 8), "pattern", "store is file:///FOLDER"),
        ("store: s3://key:secret@bucket/results", (1, 8), "pattern", "credentials stay in the environment"),
        ("store: ftp://host/results", (1, 8), "pattern", "store is file:///FOLDER"),
        ("api_key: abc", (1, 1), "additionalProperties", "api_key is not a"),
    ],
)
def test_a_wrong_kirin_yaml_is_told_with_its_place(
    tmp_path: Path, text: str, place: tuple[int, int], rule: str, message: str
) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        load_text(tmp_path, text)
    (problem,) = caught.value.problems
    assert (problem.file, (problem.line, problem.column), problem.rule) == ("kirin.yaml", place, rule)
    assert message in problem.message
    assert str(caught.value) == f"kirin.yaml:{place[0]}:{place[1]}: {problem.message}"
    assert caught.value.exit_code is ExitCode.FAILED


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("retries: -1\nlimits: {image: 0, vido: 3}\nversion: 3", 4),
        ("retries: -1\npoll: {max: .inf, min: .nan}", 3),
        ("poll: {min: 60}\noutputs: 'a/{b}'", 2),
    ],
)
def test_all_faults_of_kirin_yaml_come_at_once(tmp_path: Path, text: str, count: int) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        load_text(tmp_path, text)
    assert len(caught.value.problems) == len(str(caught.value).splitlines()) == count


def test_results_may_go_outside_where_that_is_allowed(tmp_path: Path) -> None:
    assert load_text(tmp_path, "outputs: ../out\nallow_outside: true").outputs == "../out"


def test_what_is_inside_a_project_is_judged_behind_links(tmp_path: Path) -> None:
    project = Project((tmp_path / "project").resolve())
    (project.root / "in").mkdir(parents=True)
    (project.root / "leak").symlink_to(tmp_path)
    assert project.is_inside(project.root / "in" / "new" / "file")
    assert project.is_inside(project.root / "leak" / "project" / "in")
    assert not project.is_inside(project.root / "leak" / "file")
    assert not project.is_inside(project.root / ".." / "projects")
    assert Project(project.root, Settings(allow_outside=True)).is_inside(tmp_path)


def test_the_state_of_a_project_lies_in_a_folder_that_ignores_itself(tmp_path: Path) -> None:
    project = Project(tmp_path.resolve())
    project.make_state_folder()
    (project.state / ".gitignore").write_text("# kept\n*\n")
    project.make_state_folder()
    assert (project.state / ".gitignore").read_text() == "# kept\n*\n"
    places = [
        path.relative_to(project.root).as_posix() for path in (project.lockfile, project.journal, project.manifest)
    ]
    assert places == ["kirin.lock", ".kirin/journal.jsonl", ".kirin/manifest.json"]


def test_a_state_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".kirin").write_text("no folder")
    with pytest.raises(KirinError, match=r"\.kirin cannot be made: File exists"):
        Project(tmp_path.resolve()).make_state_folder()
