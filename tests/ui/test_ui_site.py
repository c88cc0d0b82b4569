"""The live page's server lets nobody in but its own page, and gives no file that is not a recorded result."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import Served, serving
from studio import Studio, open_studio, plain_picture

CONTENT = re.compile(rb'<script id="content" type="application/json">(.*?)</script>', re.DOTALL)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        studio.prompts(one="a fox", two="b")
        yield studio


@pytest.fixture
def served(studio: Studio) -> Iterator[Served]:
    assert studio.run("run", "-q").code == 0
    with serving(studio) as served:
        yield served


def result_of(served: Served, job: str = "film:one") -> dict[str, str]:
    with served.reading() as reader:
        return dict(reader.until_completed(job)["tasks"][0]["results"][0])


def test_the_page_tells_the_jobs_and_asks_for_nothing_of_others(served: Served) -> None:
    page = served.ask()
    content = CONTENT.search(page.body)
    assert content
    assert [job["job"] for job in json.loads(content[1])["jobs"]] == ["film:one", "film:two"]
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_results_and_previews_are_served_as_what_they_are(served: Served, studio: Studio) -> None:
    result = result_of(served)
    whole = served.ask(result["address"])
    assert (whole.status, whole.headers["Content-Type"]) == (200, "image/png")
    assert whole.body == studio.result("film:one").read_bytes()
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    part = served.ask(result["address"], Range="bytes=1-3")
    assert (part.status, part.body) == (206, b"PNG")
    assert served.ask(result["thumbnail"]).headers["Content-Type"] == "image/webp"


def test_without_the_token_there_is_nothing(served: Served) -> None:
    for path in ("/", "/wrong/", "/wrong/events", "//", "/%E2%82%AC/", "/kirin.lock"):
        answer = served.ask(path=path)
        assert (path, answer.status, served.token.encode() in answer.body) == (path, 404, False)


def test_another_host_is_refused_whatever_it_asks_for_and_localhost_is_the_same(served: Served) -> None:
    port = served.port
    hosts = ("evil.example", "127.0.0.1", f"evil.example:{port}", f"127.0.0.1:{port}.evil.example", "")
    assert {host: served.ask(Host=host).status for host in hosts} == dict.fromkeys(hosts, 403)
    assert served.ask(Host=f"localhost:{port}").status == 200


def test_nothing_but_get_is_answered(served: Served) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"):
        answer = served.ask(method=method, Origin="http://evil.example")
        assert (method, answer.status) == (method, 405)
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_files_that_the_page_does_not_name_are_not_there(served: Served) -> None:
    result_of(served)
    for name in (
        "../kirin.lock",
        "results/../../kirin.lock",
        "results/%2e%2e/%2e%2e/kirin.lock",
        "results/..%2f..%2fkirin.lock",
        "thumbnails/index.json",
        f"results/{'0' * 64}.png",
        "outputs/film/one/1.png",
    ):
        answer = served.ask(name)
        assert (name, answer.status, b"kirin" in answer.body) == (name, 404, False)


@pytest.mark.parametrize(
    "data", [b"<html><script>alert(1)</script>", plain_picture("another")], ids=["page", "picture"]
)
def test_what_has_become_of_a_result_is_not_served_under_its_name(served: Served, studio: Studio, data: bytes) -> None:
    address = result_of(served)["address"]
    studio.result("film:one").write_bytes(data)
    assert served.ask(address).status == 404


def test_a_compressed_file_beside_a_result_is_not_sent_in_its_place(served: Served, studio: Studio) -> None:
    address, path = result_of(served)["address"], studio.result("film:one")
    path.with_name(f"{path.name}.gz").write_bytes(b"another")
    answer = served.ask(address, Accept_Encoding="gzip")
    assert "Content-Encoding" not in answer.headers
    assert answer.body == path.read_bytes()


def test_a_lockfile_that_names_files_outside_gives_none_of_them(studio: Studio, tmp_path: Path) -> None:
    studio.run("run", "-q")
    inside = tmp_path / "inside"
    inside.mkdir()
    for name in ("kirin.lock", "specs", "outputs"):
        (tmp_path / name).rename(inside / name)
    (inside / "kirin.yaml").write_text("version: 1\n")
    lock = inside / "kirin.lock"
    (inside / "outputs").rename(tmp_path / "outputs")
    lock.write_text(re.sub(r'"path":"', '"path":"../', lock.read_text()))
    with serving(studio, "ui", "-C", str(inside)) as served:
        assert "address" not in result_of(served)


def test_a_port_in_use_is_one_line(served: Served, studio: Studio) -> None:
    ran = studio.run("ui", "--port", str(served.port))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert f"cannot be served on 127.0.0.1, port {served.port}: " in ran.err
    assert "Port 0 picks a free one" in ran.err


def test_an_interrupt_ends_it_in_good_order(studio: Studio) -> None:
    with serving(studio) as served, served.reading() as reader:
        assert next(iter(reader.events()))[0] == "jobs"
        served.process.terminate()
        assert "ended" in [name for name, _ in reader.events()]
        assert served.process.wait(30) == 0  # here: at its end the block would interrupt it a second time
