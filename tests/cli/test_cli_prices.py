"""What a plan says of costs and where it knows them from, and that a run keeps to what it may spend."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from studio import SUBJECT, Studio, open_studio

FILM = "model: kirin_v3_i2v, params: {prompt: walk, image: 'https://pictures.example/a.png', duration"


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Studio]:
    with open_studio(tmp_path, monkeypatch, capsys) as studio:
        yield studio


def estimates(studio: Studio) -> dict[str, tuple[str | None, str | None]]:
    """What each job to be sent would cost, and where that is known from."""
    rows = studio.run("plan", "--format", "json").json["jobs"]
    return {row["job"]: (row["estimated_cost"], row["estimate_source"]) for row in rows if row["action"] != "none"}


def test_prices_are_learned_by_length_and_quality(studio: Studio) -> None:
    studio.spec(f"  short: {{{FILM}: 3}}}}\n  fine: {{{FILM}: 3, mode: pro}}}}")
    assert estimates(studio) == {"film:short": (None, "unknown"), "film:fine": (None, "unknown")}
    assert studio.run("run").code == 0
    studio.spec(f"  again: {{{FILM}: 3, mode: pro, sound: off}}, take: 2}}\n  long: {{{FILM}: 10}}}}", name="more")
    assert estimates(studio) == {"more:again": ("0.3360", "history"), "more:long": ("0.8400", "model")}
    told = studio.run("plan").out
    assert "+ create   more:again  (new)  $0.34\n" in told
    assert "+ create   more:long  (new)  $0.84 by its model\n" in told


def test_a_change_of_the_prompt_alone_keeps_the_estimate(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: a, n: 4}}")
    studio.run("run")
    studio.spec("  one: {params: {prompt: b, n: 4}}")
    assert estimates(studio) == {"film:one": ("0.0560", "history")}


def test_an_unknown_price_is_told_and_counted_as_the_dearest_known(studio: Studio) -> None:
    (studio.root / "kirin.yaml").write_text('version: 1\nprices: {kirin_v2_image: "0.0140"}\n')
    studio.spec(f"  one: {{params: {{prompt: a, n: 2}}}}\n  hero:{SUBJECT}")
    ran = studio.run("plan")
    assert "+ create   film:one  (new)  $0.0280 by kirin.yaml\n" in ran.out
    assert "+ create   film:hero  (new)  price unknown\n" in ran.out
    assert ran.out.endswith("estimated cost $0.0560, 1 of unknown price counted as $0.0280, the dearest known\n")
    told = studio.run("plan", "--format", "json").json
    assert (told["estimated_cost"], told["unpriced"], told["unpriced_counted_as"]) == ("0.0560", 1, "0.0280")


def test_prices_that_a_sandbox_made_up_are_told_as_such_and_no_run_counts_on_them(studio: Studio) -> None:
    studio.spec("  one: {params: {prompt: a}}")
    assert studio.run("run", "--sandbox").code == 0
    studio.spec("  one: {params: {prompt: b}}")
    assert estimates(studio) == {"film:one": ("0.0140", "sandbox")}
    assert studio.run_json("--dry-run").json["estimated_cost"] is None
    assert studio.run_json("--dry-run", "--sandbox").json["estimated_cost"] == "0.0140"


def test_where_no_price_is_known_at_all_the_plan_says_so(studio: Studio) -> None:
    studio.prompts(one="a")
    assert studio.run("plan").out.endswith("1 create; estimated cost unknown (no price is known yet)\n")
    told = studio.run("plan", "--format", "json").json
    assert (told["estimated_cost"], told["unpriced"], told["unpriced_counted_as"]) == (None, 1, None)


@pytest.mark.parametrize("most", ["0.01", "0.05", "0.30", "0.60"])
def test_a_run_never_goes_more_than_one_job_over_what_it_may_spend(studio: Studio, most: str) -> None:
    films = "\n".join(f"  film{number}: {{{FILM}: {number}}}}}" for number in (5, 3, 4))
    images = "\n".join(f"  image{number}: {{params: {{prompt: a, n: {number}}}}}" for number in (9, 1, 2))
    studio.spec(f"{films}\n{images}\n  hero:{SUBJECT}")
    ran = studio.run_json("--max-cost", most)
    costs = [Decimal(row["cost"]) for row in ran.json["jobs"] if row["cost"]]
    assert (ran.code, Decimal(ran.json["spent"])) == (3, sum(costs))
    assert sum(costs) - max(costs) <= Decimal(most)
    assert costs
