"""Subjects: what their task tells, and who may use their ids."""

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st
from sandbox_wire import PICTURE, SUBJECT, Reply, sandboxed

from kirin_batch.sandbox.elements import is_owned, new_element_id


def subject_of(answer: Reply) -> dict[str, object]:
    [content] = answer.contents
    assert (content["type"], content["url"]) == ("text", "")
    subject = json.loads(content["text"])
    assert isinstance(subject, dict)
    return subject


def test_a_subject_is_told_as_a_json_string_with_the_fields_of_the_page() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            subject = subject_of(await asked.finished("kirin_custom_elements", SUBJECT))
            assert isinstance(subject["element_id"], int)
            assert (subject["element_name"], subject["element_frontal_image"]) == ("Hero", PICTURE)
            assert subject["element_refer_list"] == [{"image_url": ""}]
            assert subject["tag_list"] == [{"id": "o_103", "name": "Animal", "description": "Animal"}]
            assert {"element_description", "owned_by", "final_unit_deduction"} <= subject.keys()

    asyncio.run(scenario())


def test_a_subject_without_tags_has_an_empty_list_of_them() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            params = {name: value for name, value in SUBJECT.items() if name != "tag_list"}
            assert subject_of(await asked.finished("kirin_custom_elements", params))["tag_list"] == []

    asyncio.run(scenario())


def test_only_the_user_who_made_a_subject_may_use_it() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            subject = subject_of(await asked.finished("kirin_custom_elements", SUBJECT))
            params = {"prompt": "the hero", "element_list": [{"element_id": subject["element_id"]}]}
            assert (await asked.create("kirin_v3_omni_image", params)).status == 200
            refused = await asked.create("kirin_v3_omni_image", params, key="bob")
            assert (refused.status, refused.code) == (400, "1201")
            assert refused.message.startswith("element_list[0].element_id: ")

    asyncio.run(scenario())


def test_a_later_sandbox_knows_the_subjects_of_an_earlier_one() -> None:
    async def scenario() -> None:
        async with sandboxed() as asked:
            subject = subject_of(await asked.finished("kirin_custom_elements", SUBJECT))
        async with sandboxed() as later:
            film = {"prompt": "x", "image": PICTURE, "element_list": [{"element_id": subject["element_id"]}]}
            assert (await later.create("kirin_v3_i2v", film)).status == 200

    asyncio.run(scenario())


@given(st.integers(), st.text(), st.text())
def test_an_id_is_a_positive_number_of_64_bits_that_its_user_owns(seed: int, user: str, task: str) -> None:
    element_id = new_element_id(seed, user, task)
    assert 0 < element_id < 2**63
    assert is_owned(element_id, seed, user)
    assert not is_owned(element_id + 1, seed, user)
    assert not is_owned(-element_id, seed, user)


def test_some_ids_are_beyond_what_a_double_holds() -> None:
    ids = [new_element_id(0, "alice", str(number)) for number in range(20)]
    assert 0 < sum(element_id > 2**53 for element_id in ids) < 20
    assert len(set(ids)) == 20
