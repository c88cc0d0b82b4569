"""`report` as people call it: what it writes, from where, and what it says."""

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from studio import SUBJECT, Studio, open_studio, plain_picture

CONTENT = re.compile(r'<script id="content" type="application/json">(.*?)</script>', re.DOTALL)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def content_of(html: str) -> dict[str, dict[str, Any]]:
    """The jobs of a page by id."""
    found = CONTENT.search(html)
    assert found
    return {job["job"]: job for job in json.loads(found[1])["jobs"]}


def report(studio: Studio, *arguments: str) -> dict[str, dict[str, Any]]:
    """Write a gallery and read what is in it."""
    ran = studio.run("report", "--format", "json", *arguments)
    assert ran.code == 0, ran.err
    return content_of(Path(ran.json["report"]).read_text())


def only_result(job: dict[str, Any]) -> dict[str, Any]:
    [result] = job["tasks"][0]["results"]
    return dict(result)


def test_each_job_is_there_with_result_prompt_cost_and_lineage(studio: Studio) -> None:
    ref = "[{element_id: '${{ jobs.hero.element_id }}'}]"
    film = f"{{model: kirin_v3_omni_image, params: {{prompt: b, element_list: {ref}}}, tags: [x]}}"
    studio.spec(f"  one: {{params: {{prompt: a fox}}}}\n  hero:{SUBJECT}\n  two: {film}")
    studio.run("run")
    jobs = report(studio)
    one, two = jobs["film:one"], jobs["film:two"]
    assert (one["prompt"], one["status"], one["tasks"][0]["cost"]) == ("a fox", "completed", "0.0140")
    assert (two["needs"], two["tags"], two["model"]) == (["film:hero"], ["x"], "kirin_v3_omni_image")
    assert jobs["film:hero"]["tasks"][0]["element_id"]
    page = studio.root / ".kirin" / "report"
    result = only_result(one)
    assert (page / unquote(result["address"])).resolve() == studio.result("film:one")
    assert (page / result["thumbnail"]).read_bytes()[8:12] == b"WEBP"


def test_json_tells_where_it_is_and_what_is_in_it(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    studio.result("film:one").unlink()
    studio.result("film:two").write_bytes(b"<html>")
    told = studio.run("report", "--format", "json").json
    assert told["report"] == str(studio.root / ".kirin" / "report" / "index.html")
    assert (told["jobs"], told["results"], told["missing"], told["without_preview"]) == (2, 2, 1, 1)
    assert (told["zip"], told["previews"]) == (None, {"made": 0, "reused": 0})


def test_text_says_where_it_is(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    assert studio.run("report").out == f"1 job, 1 result: {studio.root}/.kirin/report/index.html\n"


def test_without_anything_recorded_it_says_what_to_do(studio: Studio) -> None:
    studio.prompts(one="a")
    ran = studio.run("report")
    assert (ran.code, ran.out) == (0, "nothing is recorded that the gallery could show\n")
    assert "`kirin-batch run --sandbox`" in ran.err
    assert not (studio.root / ".kirin" / "report").exists()


def test_failures_are_told_and_a_spec_that_moved_on_keeps_its_earlier_takes(studio: Studio) -> None:
    studio.prompts(one="a", bad="forbidden-content")
    studio.run("run")
    studio.prompts(one="another", bad="forbidden-content")
    jobs = report(studio)
    assert "content policy" in jobs["film:bad"]["error"]["message"]
    one = jobs["film:one"]
    assert (one["status"], one["prompt"]) == ("pending", "another")
    [earlier] = one["tasks"]
    assert (earlier["is_current"], earlier["results"][0]["state"]) == (False, "here")
    assert earlier["asked"] == {"prompt": "a", "params": {"prompt": "a"}}


def test_specs_with_errors_still_show_what_is_recorded_with_its_prompts(studio: Studio) -> None:
    studio.prompts(one="a fox", two="b")
    studio.run("run")
    studio.spec("  one: {params: {prompt: a fox}}\n  two: {params: {promt: b}}")
    ran = studio.run("report")
    assert (ran.code, "the specs have errors" in ran.err) == (0, True)
    jobs = report(studio)
    assert {name: (job["prompt"], job["status"]) for name, job in jobs.items()} == {
        "film:one": ("a fox", "completed"),
        "film:two": ("b", "completed"),
    }


def test_a_job_that_no_spec_has_any_more_is_shown(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    studio.run("run")
    studio.prompts(one="a")
    two = report(studio)["film:two"]
    assert (two["is_orphan"], two["prompt"], only_result(two)["state"]) == (True, "b", "here")


def test_selected_jobs_alone_are_shown(studio: Studio) -> None:
    studio.prompts(one="a", two="b", three="c")
    studio.run("run")
    assert report(studio, "--job", "t*", "--exclude", "three").keys() == {"film:two"}
    assert studio.run("report", "--tag", "none").code == 2


@pytest.mark.parametrize("name", ["a 'b' & <script>", 'quo"te', "🦊 مرحبا", "100%25", "#1?x"])
def test_strange_names_of_files_are_quoted(studio: Studio, name: str) -> None:
    (studio.root / "kirin.yaml").write_text("version: 1\noutputs: 'outputs/first{ext}'\n")
    studio.prompts(one="a")
    studio.run("run")
    lock = studio.root / "kirin.lock"
    lock.write_text(
        lock.read_text().replace("outputs/first.", json.dumps(f"outputs/{name}.", ensure_ascii=False)[1:-1])
    )
    for path in (studio.root / "outputs").iterdir():
        path.rename(path.with_name(f"{name}{path.suffix}"))
    result = only_result(report(studio)["film:one"])
    assert not set("<>\"'#?& ") & set(result["address"])
    assert (studio.root / ".kirin" / "report" / unquote(result["address"])).is_file()


def test_a_lockfile_that_names_files_outside_shows_and_copies_none(studio: Studio, tmp_path: Path) -> None:
    project = tmp_path / "inside"
    studio.root = project
    studio.prompts(one="a")
    (project / "kirin.yaml").write_text("version: 1\n")
    studio.run("run", "-C", str(project))
    secret = tmp_path / "secret.png"
    secret.write_bytes(plain_picture("secret"))
    lock = project / "kirin.lock"
    lock.write_text(re.sub(r'"path":"[^"]*"', '"path":"../secret.png"', lock.read_text()))
    jobs = report(studio, "-C", str(project), "--out", str(tmp_path / "public"))
    assert only_result(jobs["film:one"])["state"] == "missing"
    assert [path.name for path in (tmp_path / "public").iterdir()] == ["index.html"]


def test_a_named_folder_holds_copies_unless_links_are_asked_for(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    address = only_result(report(studio, "--out", "public")["film:one"])["address"]
    assert (studio.root / "public" / address).read_bytes() == studio.result("film:one").read_bytes()
    linked = only_result(report(studio, "--out", "public", "--link")["film:one"])["address"]
    assert linked.startswith("../outputs/")
    assert not (studio.root / "public" / "results").exists()


def test_a_zip_holds_page_previews_and_results(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    assert studio.run("report", "--zip", "fair.zip").out.endswith("index.html and fair.zip\n")
    with zipfile.ZipFile(studio.root / "fair.zip") as archive:
        result = only_result(content_of(archive.read("fair/index.html").decode())["film:one"])
        names = {"fair/index.html", f"fair/{result['address']}", f"fair/{result['thumbnail']}"}
        assert set(archive.namelist()) == names
        assert archive.read(f"fair/{result['address']}") == studio.result("film:one").read_bytes()


def test_a_folder_with_other_files_is_refused_and_left_alone(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    before = studio.files()
    ran = studio.run("report", "--out", "specs")
    assert (ran.code, "holds other files" in ran.err) == (1, True)
    assert studio.files() == before


def test_it_opens_in_the_browser_of_the_user(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    script = studio.root / "browser.py"
    script.write_text("import pathlib, sys\npathlib.Path('opened').write_text(sys.argv[1])\n")
    browser = f"{sys.executable} {script} %s"
    studio.start("report", BROWSER=browser).communicate(timeout=60)
    assert not (studio.root / "opened").exists()
    process = studio.start("report", "--open", BROWSER=browser)
    assert process.communicate(timeout=60)[1] == ""
    assert (studio.root / "opened").read_text() == (studio.root / ".kirin" / "report" / "index.html").as_uri()


def test_without_a_browser_it_says_what_to_open(studio: Studio) -> None:
    studio.prompts(one="a")
    studio.run("run")
    process = studio.start(
        "report", "--open", BROWSER="/nowhere/browser", PATH="/nowhere", DISPLAY="", WAYLAND_DISPLAY=""
    )
    assert "no browser could be started; open " in process.communicate(timeout=60)[1]
    assert process.returncode == 0


@pytest.mark.parametrize("is_gone", [False, True], ids=["in a spec", "gone"])
def test_no_secret_is_in_the_gallery(studio: Studio, monkeypatch: pytest.MonkeyPatch, *, is_gone: bool) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "hunter2hunter2")
    (studio.root / "kirin.yaml").write_text("version: 1\nenv: [HOOK_TOKEN]\n")
    studio.prompts(one="'a ${{ env.HOOK_TOKEN }} fox of https://a.example/x.png?sign=qwertz'")
    studio.run("run")
    if is_gone:
        studio.prompts(two="b")
    assert report(studio)["film:one"]["prompt"] == "a [secret] fox of https://a.example/x.png"
    page = (studio.root / ".kirin" / "report" / "index.html").read_text()
    assert ("hunter2" in page, "qwertz" in page) == (False, False)
