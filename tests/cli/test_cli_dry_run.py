"""`run --dry-run`: the very requests that a run sends, images shortened, and not a trace of it anywhere."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from studio import KEY, SUBJECT, Studio, draw_picture, open_studio, plain_picture

CHAIN = f"""
  hero:{SUBJECT}
  poster:
    model: kirin_v3_omni_image
    params: {{prompt: the fox, element_list: [{{element_id: "${{{{ jobs.hero.element_id }}}}"}}]}}
  clip:
    model: kirin_v3_i2v
    params: {{image: "${{{{ jobs.poster.url }}}}", prompt: it walks, duration: 3}}
"""
PATIENCE_SECONDS = 10.0


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def dry(studio: Studio, *options: str) -> dict[str, Any]:
    """The requests of a dry run by job."""
    ran = studio.run_json("--dry-run", *options)
    assert ran.code == 0, ran.err
    return {request["job"]: request for request in ran.json["requests"]}


def keep_creates(studio: Studio) -> list[dict[str, Any]]:
    """All creates that reach the sandbox from here on, in the form of a dry run."""
    kept: list[dict[str, Any]] = []

    async def keep(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST":
            body = json.loads(await request.read())
            kept.append({"url": str(request.url), "headers": dict(request.headers), "body": body})
        return await handler(request)

    studio.wrap = keep
    return kept


def test_a_dry_run_prints_what_a_run_then_sends(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: a fox, n: 3}}\n  two: {params: {prompt: ÄÖ, aspect_ratio: 9:16}}")
    told, sent = list(dry(studio).values()), keep_creates(studio)
    assert studio.run("run").code == 0
    sent.sort(key=lambda request: "ÄÖ" in str(request["body"]))  # they went side by side
    for drawn, request in zip(told, sent, strict=True):
        assert (drawn["method"], drawn["url"], drawn["body"]) == ("POST", request["url"], request["body"])
        headers = {"Host": request["headers"]["Host"], **drawn["headers"]}
        assert headers == request["headers"] | {"Authorization": "Bearer [key]"}


def test_images_are_shortened_and_nothing_else_is(studio: Studio) -> None:
    content = draw_picture(studio.root / "specs" / "fox.png").read_bytes()
    inline = plain_picture("inline.jpg")
    studio.spec(
        f"  file: {{params: {{prompt: {'fox ' * 300}, image: fox.png}}}}\n"
        f"  text: {{params: {{prompt: b, image: {base64.b64encode(inline).decode()}}}}}\n"
        "  link: {params: {prompt: c, image: https://pictures.example/fox.png}}"
    )
    bodies = {job: request["body"]["input"][0]["params"] for job, request in dry(studio).items()}
    for job, data, form in (("film:file", content, "png"), ("film:text", inline, "jpeg")):
        start = hashlib.sha256(data).hexdigest()[:12]
        assert bodies[job]["image"] == f"<{form}, {len(data)} bytes, sha256 {start}…, as Base64>"
    assert bodies["film:link"]["image"] == "https://pictures.example/fox.png"
    assert bodies["film:file"]["prompt"] == ("fox " * 300).strip()


def test_the_length_that_is_told_is_that_of_the_whole_body(studio: Studio) -> None:
    draw_picture(studio.root / "specs" / "fox.png")
    studio.spec("  file: {params: {prompt: a, image: fox.png}}")
    told, sent = dry(studio)["film:file"], keep_creates(studio)
    studio.run("run")
    assert told["headers"]["Content-Length"] == sent[0]["headers"]["Content-Length"]
    assert told["headers"].keys() == sent[0]["headers"].keys() - {"Host"}


def test_results_that_are_not_there_yet_stand_as_expressions(studio: Studio) -> None:
    studio.spec(CHAIN)
    told = dry(studio)
    assert list(told) == ["film:hero", "film:poster", "film:clip"]
    poster, clip = told["film:poster"], told["film:clip"]
    expression = "${{ jobs.film:hero.element_id }}"
    assert poster["missing"] == {"/element_list/0/element_id": expression}
    assert poster["body"]["input"][0]["params"]["element_list"] == [{"element_id": expression}]
    assert clip["missing"] == {"/image": "${{ jobs.film:poster.url }}"}
    assert "Content-Length" not in clip["headers"]


def test_results_that_are_there_stand_as_they_will_be_sent(studio: Studio) -> None:
    studio.spec(CHAIN)
    assert studio.run("run", "--job", "hero").code == 0
    told, sent = dry(studio), keep_creates(studio)
    assert (list(told), told["film:poster"]["missing"]) == (["film:poster", "film:clip"], {})
    studio.run("run", "--job", "poster")
    assert [request["body"] for request in sent] == [told["film:poster"]["body"]]
    clip = dry(studio)["film:clip"]
    assert clip["body"]["input"][0]["params"]["image"] == studio.records["film:poster"].outputs[0].url


def test_a_dry_run_sends_and_writes_nothing_needs_no_key_and_waits_for_nobody(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.holds_time = True
    studio.prompts(one="a", two="b")
    running = studio.start("run", "--job", "one")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not studio.books.creates:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    monkeypatch.delenv("KIRIN_API_KEY")
    queries = {row["job"]: row["method"] for row in dry(studio).values()}
    assert queries == {"film:one": "GET", "film:two": "POST"}
    running.terminate()
    running.communicate()
    assert studio.books.creates == 1


def test_a_dry_run_leaves_no_file_and_no_request(studio: Studio) -> None:
    studio.prompts(one="a")
    before = studio.files()
    ran = studio.run("run", "--dry-run")
    assert (ran.code, studio.files(), studio.books.creates + studio.books.queries) == (0, before, 0)
    assert not (studio.root / ".kirin").exists()
    assert KEY not in ran.out + ran.err


def test_in_text_each_request_reads_as_it_goes_over_the_wire(studio: Studio) -> None:
    studio.spec(CHAIN)
    out = studio.run("run", "--dry-run").out
    assert out.startswith(f"# film:hero: create (new)\nPOST {studio.url}/model/v1/generation\nUser-Agent: kirin-batch/")
    assert "\n# /image is known when its job is done: ${{ jobs.film:poster.url }}\n" in out
    assert '\n  "model": "kirin_v3_omni_image",\n' in out
    assert out.endswith("3 requests would be sent, estimated cost unknown; nothing was sent\n")
    assert studio.run("run", "--dry-run", "-q").out.count("\n") == 1


def test_what_is_refused_for_a_run_is_refused_for_a_dry_run(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.prompts(one="a")
    assert studio.run("run", "--dry-run", "--locked").code == 1
    assert studio.run("run", "--dry-run", "--resend", "film:one").code == 2
    assert dry(studio, "--sandbox")["film:one"]["url"].startswith("http://127.0.0.1:PORT/")
    monkeypatch.setenv("KIRIN_BASE_URL", "ftp://example")
    assert studio.run("run", "--dry-run").code == 2


def test_with_canaries_the_requests_are_those_that_go_first(studio: Studio) -> None:
    studio.prompts(one="a", two="b")
    assert list(dry(studio, "--canary", "1")) == ["film:one"]


def test_a_result_that_was_changed_since_cannot_be_sent_and_is_told(studio: Studio) -> None:
    studio.spec('  one: {params: {prompt: a}}\n  two: {params: {prompt: b, image: "${{ jobs.one.file }}"}}')
    studio.run("run", "--job", "one")
    draw_picture(studio.result("film:one"), size=(400, 400))
    ran = studio.run_json("--dry-run")
    [request] = ran.json["requests"]
    assert (ran.code, request["body"]) == (1, None)
    assert "has changed since it was checked" in request["fault"]


def test_a_terminal_obeys_nothing_that_a_prompt_holds(studio: Studio) -> None:
    studio.spec('  one: {params: {prompt: "a \\x9b31m fox"}}')
    out = studio.run("run", "--dry-run").out
    assert ("\x9b" in out, '"prompt": "a \\u009b31m fox"' in out) == (False, True)
