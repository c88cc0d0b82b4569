"""Where results lie: templates filled, and names that every system takes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kirin_batch.naming import TemplateError, fill_output_template, is_foreign, output_path, place_of

VALUES = {
    "spec": "examples/launch",
    "job": "poster[ratio=16:9]",
    "model": "kirin_v2_image",
    "digest": "ab",
    "take": "2",
}
WHOLE = "{spec}/{job}/{model}-{digest}-{take}"


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("outputs/{spec}/{job}/{index}{ext}", "outputs/examples/launch/poster[ratio=16-9]/{index}{ext}"),
        ("results", "results/examples/launch/poster[ratio=16-9]/{index}{ext}"),
        ("results/", "results/examples/launch/poster[ratio=16-9]/{index}{ext}"),
        ("{model}/{digest}-{take}-{index}", "kirin_v2_image/ab-2-{index}{ext}"),
        ("out/{job}/", "out/poster[ratio=16-9]/{index}{ext}"),
        ("out/{job}", "out/poster[ratio=16-9]{ext}"),
        ("ünder/{take}{ext}", "ünder/2{ext}"),
    ],
)
def test_a_template_is_filled_but_for_what_a_result_brings(template: str, filled: str) -> None:
    assert fill_output_template(template, VALUES) == filled


def test_the_path_of_a_result_has_its_number_and_its_ending() -> None:
    assert output_path("out/{index}{ext}", index=12, ext=".mp4") == "out/12.mp4"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("out/{name}", "outputs has no {name}: take {spec}, {job}, {model}, {digest}, {take}, {index}, {ext}"),
        ("out/{}", "outputs has no {}"),
        ("out/{job", "outputs has '{', which no file name may hold"),
        ("out\\{job}", "outputs has '\\\\', which no file name may hold"),
        ("out/{job}\n", "outputs has '\\n', which no file name may hold"),
        ("out/\u202e{job}", "outputs has '\\u202e', which no file name may hold"),
        ("Con/{job}", "outputs has 'Con', which is no name to Windows"),
        ("{job}/nul{ext}", "outputs has 'nul{ext}', which is no name to Windows"),
        ("out./{job}", "outputs has 'out.', which is no name to Windows"),
    ],
)
def test_a_template_that_names_no_place_is_told(template: str, message: str) -> None:
    with pytest.raises(TemplateError, match="^" + re.escape(message)):
        fill_output_template(template, VALUES)


@pytest.mark.parametrize(
    ("job", "name"),
    [
        ("a/b", "a-b"),
        ('<>:"|?*\\{}', "----------"),
        ("tail. .", "tail"),
        ("...", "-"),
        ("", "-"),
        ("CON", "CON-"),
        ("nul.x", "nul.x-"),
        ("console", "console"),
        ("com\u00b9", "com\u00b9-"),
        ("con .x", "con .x-"),
        ("CONOUT$", "CONOUT$-"),
        ("a\u202etxt\u2028", "a-txt-"),
        ("e\u0301", "\u00e9"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        (".hidden", ".hidden"),
    ],
)
def test_a_name_is_one_that_every_system_takes(job: str, name: str) -> None:
    filled = fill_output_template("out/{job}/{index}", VALUES | {"job": job})
    assert filled == f"out/{name}/{{index}}{{ext}}"


@pytest.mark.parametrize("template", ["./out/{job}", "../out/{job}", "out/{job}.", "out/.x/{job}", "co/{job}"])
def test_folders_that_mean_a_way_or_hold_a_value_are_names(template: str) -> None:
    assert fill_output_template(template, VALUES).endswith("{ext}")


def test_paths_that_a_system_takes_for_one_have_one_place() -> None:
    assert place_of("out/\u00c9.png") == place_of("OUT/e\u0301.PNG")
    assert place_of("out/a") != place_of("out/b")


def test_long_names_are_cut_and_stay_apart() -> None:
    one = fill_output_template("{job}{index}{ext}", VALUES | {"job": "ü" * 300 + "1"})
    two = fill_output_template("{job}{index}{ext}", VALUES | {"job": "ü" * 300 + "2"})
    assert one != two
    assert one.startswith("ü" * 75 + "~")
    assert one.endswith("{index}{ext}")
    early = fill_output_template("{index}-{job}", VALUES | {"job": "x" * 300})
    assert early.count("{index}") == 1


@given(st.fixed_dictionaries({name: st.text(st.characters(codec="utf-8")) for name in VALUES}))
def test_no_value_leads_out_of_the_folder_or_makes_a_name_too_long(values: dict[str, str]) -> None:
    path = output_path(fill_output_template(f"out/{WHOLE}", values), index=1, ext=".png")
    parts = path.split("/")
    assert parts[0] == "out"
    assert all(part.strip(". ") != "" and len(part.encode()) <= 255 for part in parts)
    assert re.search(r'[<>:"|?*\\{}\x00-\x1f\x7f]', path) is None


@pytest.mark.parametrize(
    "path",
    ["../1.png", "a/../../1.png", "/etc/1.png", "C:/1.png", "\\\\host\\1.png", "a\\..\\1.png", "a/\0.png", "é" * 128],
)
def test_a_path_outside_or_that_is_no_name_is_foreign(path: str) -> None:
    assert is_foreign(path)


@pytest.mark.parametrize("path", ["outputs/a/1.png", "outputs/..a/b../...png", "é" * 127, "ab:c/1.png"])
def test_a_path_below_the_root_is_not_foreign(path: str) -> None:
    assert not is_foreign(path)
