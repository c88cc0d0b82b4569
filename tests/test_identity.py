"""The digest and the external_task_id: golden values, and what moves them and what does not."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spec_projects import draw, load, load_job, spec_of

from kirin_batch.identity import digest_of_request, external_task_id
from kirin_batch.jobs import Job

PROMPTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=30).filter(
    lambda text: "${{" not in text
)
PARAMS = st.fixed_dictionaries(
    {"prompt": PROMPTS},
    optional={
        "negative_prompt": PROMPTS,
        "n": st.integers(1, 9),
        "aspect_ratio": st.sampled_from(["16:9", "9:16", "1:1", "21:9"]),
    },
)
FEW = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


def job_of(root: Path, params: dict[str, Any], *, model: str = "kirin_v2_image", take: int = 1) -> Job:
    spec = {"version": 1, "jobs": {"hero": {"model": model, "take": take, "params": params}}}
    return load_job(root, json.dumps(spec, ensure_ascii=False))


def digest_of(params: dict[str, Any], *, inputs: dict[Any, Any] | None = None) -> str:
    return digest_of_request("m", take=1, params=params, defaults={}, inputs=inputs or {})


# The next values are on users' disks and at the gateway: one that moves makes everybody pay again for what they have.
def test_the_digest_of_a_request_stays_what_it_was(root: Path) -> None:
    assert (
        job_of(root, {"prompt": "a fox"}).digest == "36cdb1afb1fdc0f149e60b1621a624b2bfa5e39d1f955d655b208a4a401ae2d3"
    )
    assert (
        job_of(root, {"prompt": "Füchse 🦊", "n": 3, "aspect_ratio": "1:1"}, take=2).digest
        == "fa0c8eab3bdb518e9db754310e719ea455676f1dfa43689258a18665550c779a"
    )
    inputs = {("image",): {"sha256": "00"}, ("list", 0): [{"digest": "11", "field": "urls", "index": 0}]}
    assert (
        digest_of({"image": "fox.png", "list": ["${{ jobs.a.url }}", 1.5]}, inputs=inputs)
        == "c2e8d40e2342f3752f1d5f39cf04f857560b300a1cedacdafc3333c34c2861a5"
    )


def test_the_external_task_id_stays_what_it_was() -> None:
    assert (
        external_task_id("", "launch:poster[place=city]", "ab" * 32, 1) == "kb-0dc834bf0e59d14c2c48da07d171864701e61c66"
    )
    assert (
        external_task_id("shop", "launch:poster[place=city]", "ab" * 32, 2)
        == "kb-75d63ede93b92a9ff002459412841c74eb211c1b"
    )


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")), st.integers(1, 1000))
def test_an_external_task_id_fits_the_gateway_and_depends_on_each_part(namespace: str, job: str, attempt: int) -> None:
    own = external_task_id(namespace, job, "d" * 64, attempt)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", own)
    others = {
        external_task_id(namespace + "x", job, "d" * 64, attempt),
        external_task_id(namespace, job + "x", "d" * 64, attempt),
        external_task_id(namespace, job, "e" * 64, attempt),
        external_task_id(namespace, job, "d" * 64, attempt + 1),
    }
    assert len(others | {own}) == 5


def test_an_external_task_id_is_made_of_namespace_job_and_digest(root: Path) -> None:
    spec = spec_of("hero: {model: kirin_v2_image, params: {prompt: a fox}}")
    job = load_job(root, spec, namespace="shop")
    assert job.external_task_id == external_task_id("shop", "a:hero", job.digest, 1)
    assert job.external_task_id != load_job(root, spec).external_task_id
    assert not job.fixed_task_id


def test_an_external_task_id_of_the_spec_is_used_as_it_is(root: Path) -> None:
    job = job_of(root, {"prompt": "a fox", "external_task_id": "mine"})
    assert (job.external_task_id, job.fixed_task_id) == ("mine", True)


@FEW
@given(PARAMS, st.randoms(use_true_random=False))
def test_formatting_order_comments_and_defaults_written_out_move_no_digest(
    root: Path, params: dict[str, Any], random: Random
) -> None:
    said = {"n": 1, "aspect_ratio": "16:9"} | params
    items = list(said.items())
    random.shuffle(items)
    lines = [f"      {key}: {json.dumps(value, ensure_ascii=False)} # as {key}" for key, value in items]
    text = "\n# a fox\n".join(["version: 1", "jobs:", "  hero:", "    model:   kirin_v2_image", "    params:", *lines])
    assert load_job(root, text).digest == job_of(root, params).digest


@FEW
@given(PARAMS)
def test_vars_defaults_and_matrix_move_no_digest(root: Path, params: dict[str, Any]) -> None:
    spec = {
        "version": 1,
        "vars": {f"v_{key}": value for key, value in params.items()},
        "defaults": {"model": "kirin_v2_image", "params": {key: f"${{{{ vars.v_{key} }}}}" for key in params}},
        "jobs": {"hero": {"matrix": {"axis": [1]}, "params": {"image": None}}},
    }
    assert load_job(root, json.dumps(spec, ensure_ascii=False)).digest == job_of(root, params).digest


@FEW
@given(PARAMS, PARAMS)
def test_two_requests_have_one_digest_only_where_they_are_one(
    root: Path, one: dict[str, Any], two: dict[str, Any]
) -> None:
    plain = {"n": 1, "aspect_ratio": "16:9"}
    is_same = job_of(root, one).digest == job_of(root, two).digest
    assert is_same == (plain | one == plain | two)


def test_model_take_and_every_param_count(root: Path) -> None:
    base = {"prompt": "a fox"}
    digests = [
        job_of(root, base).digest,
        job_of(root, base, take=2).digest,
        job_of(root, base, model="kirin_v3_omni_image").digest,
        job_of(root, base | {"prompt": "a fox "}).digest,
        job_of(root, base | {"negative_prompt": "rain"}).digest,
        job_of(root, base | {"image": "https://example.com/fox.png"}).digest,
    ]
    assert len(set(digests)) == len(digests)


def test_callback_and_own_id_do_not_count(root: Path) -> None:
    extra = {"callback_url": "https://example.com/ring", "external_task_id": "mine"}
    assert job_of(root, {"prompt": "a fox"} | extra).digest == job_of(root, {"prompt": "a fox"}).digest


def test_the_id_of_the_job_and_its_file_do_not_count(tmp_path: Path) -> None:
    image = draw(tmp_path / "assets" / "fox.png")
    draw(tmp_path / "specs" / "deep" / "renamed.jpg")
    inline = base64.b64encode(image.read_bytes()).decode()
    jobs = load(
        tmp_path,
        {
            "specs/a.yaml": spec_of(
                "hero: {model: kirin_v2_image, params: {prompt: a, image: ../assets/fox.png}}\n"
                f"text: {{model: kirin_v2_image, params: {{prompt: a, image: {inline}}}}}"
            ),
            "specs/deep/b.yaml": spec_of("moved: {model: kirin_v2_image, params: {prompt: a, image: renamed.jpg}}"),
        },
    ).jobs
    assert len(jobs) == 3
    assert len({job.digest for job in jobs.values()}) == 1
    assert len({job.external_task_id for job in jobs.values()}) == 3


def test_another_content_of_a_local_file_counts(tmp_path: Path) -> None:
    spec = spec_of("hero: {model: kirin_v2_image, params: {prompt: a, image: ../fox.png}}")
    draw(tmp_path / "fox.png", colour="orange")
    before = load_job(tmp_path, spec)
    draw(tmp_path / "fox.png", colour="red")
    assert load_job(tmp_path, spec).digest != before.digest


def clip_of(image: str, *, prompt: str = "a fox", name: str = "poster") -> str:
    return spec_of(
        f"{name}: {{model: kirin_v2_image, params: {{prompt: {prompt}, n: 2}}}}\n"
        f'clip: {{model: kirin_v3_i2v, params: {{prompt: go, image: "{image}"}}}}'
    )


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (clip_of("${{ jobs.poster.urls[0] }}"), True),
        (clip_of("${{ jobs.a:poster.url }}"), True),
        (clip_of("${{ jobs.cover.url }}", name="cover"), True),
        (clip_of("${{ jobs.poster.urls[1] }}"), False),
        (clip_of("${{ jobs.poster.file }}"), False),
        (clip_of("${{ jobs.poster.url }}?small"), False),
        (clip_of("${{ jobs.poster.url }}", prompt="a bear"), False),
    ],
)
def test_a_reference_counts_by_the_digest_of_the_other_job(root: Path, other: str, is_same: bool) -> None:  # noqa: FBT001 - a case of the table
    digest = load_job(root, clip_of("${{ jobs.poster.url }}")).digest
    assert (load_job(root, other).digest == digest) is is_same


def test_no_text_passes_for_a_reference_or_a_picture() -> None:
    link = {"digest": "11", "field": "urls", "index": 0}
    digests = {
        digest_of({"image": "x"}, inputs={("image",): [link]}),
        digest_of({"image": [link]}),
        digest_of({"image": None, "inputs": {"/image": [link]}}),
        digest_of({"image": "x"}, inputs={("image",): {"sha256": "11"}}),
        digest_of({"image": None}),
    }
    assert len(digests) == 5


@pytest.mark.parametrize("change", [lambda p: p.popitem(), lambda p: p.update(extra=[{"deep": [1]}])])
def test_values_at_any_depth_count(change: Callable[[dict[str, Any]], object]) -> None:
    params: dict[str, Any] = {"list": [{"index": 1, "items": ["a", "b"]}], "flag": True}
    before = digest_of(params)
    change(params)
    assert digest_of(params) != before
    assert digest_of({"callback_url": "x"}, inputs={("callback_url",): ["x"]}) == digest_of({})
