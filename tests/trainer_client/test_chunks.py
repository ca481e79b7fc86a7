import json
from typing import Any

import pytest

from trainer_client import BadBatch, BadReply, Rewards, ScoredChunk
from trainer_client._chunks import join, read_reply, split


def sizes(columns: "dict[str, list[Any]]", max_samples: int = 4, max_bytes: int = 10**6) -> "list[int]":
    return [len(chunk.rows) for chunk in split(columns, max_samples=max_samples, max_bytes=max_bytes)]


def reply(*rewards: "float | None", reward: str = "flip", config: str = "c") -> "dict[str, Any]":
    return {
        "reward": reward,
        "rewards": list(rewards),
        "outcomes": ["error" if value is None else "correct" for value in rewards],
        "parts": {"clean": list(rewards)},
        "version": "1",
        "config": config,
    }


def joined(*rewards: Rewards) -> Rewards:
    chunks, done = [], 0
    for each in rewards:
        chunks.append(ScoredChunk(range(done, done + len(each)), each, done + len(each), 3))
        done += len(each)
    return join(chunks, "call")


@pytest.mark.parametrize(("total", "expected"), [(0, [0]), (1, [1]), (4, [4]), (5, [4, 1]), (9, [4, 4, 1])])
def test_a_batch_is_split_by_samples(total: int, expected: "list[int]") -> None:
    assert sizes({"completions": list(range(total))}) == expected


def test_a_chunk_with_too_many_bytes_is_halved_until_it_fits() -> None:
    # {"completions": ["aaaaaaaaaa", …]} is 18 bytes and 14 an entry less one comma: 2 entries are 44, 4 are 72.
    assert sizes({"completions": ["a" * 10] * 4}, max_bytes=50) == [2, 2]


def test_a_sample_that_is_too_large_goes_alone() -> None:
    assert sizes({"completions": ["a", "b" * 100, "c"]}, max_bytes=50) == [1, 1, 1]


def test_chunks_together_are_the_batch_in_order() -> None:
    columns: dict[str, list[Any]] = {"completions": [str(i) for i in range(11)], "visits": list(range(11))}
    bodies = [json.loads(chunk.body) for chunk in split(columns, max_samples=3, max_bytes=60)]
    assert [c for body in bodies for c in body["completions"]] == columns["completions"]
    assert [v for body in bodies for v in body["visits"]] == columns["visits"]


def test_columns_of_different_lengths_are_refused_by_name() -> None:
    with pytest.raises(BadBatch, match="groups: 1 entries for 2 completions"):
        sizes({"completions": ["a", "b"], "groups": ["q"]})


def test_replies_are_joined_in_order() -> None:
    both = joined(read_reply(reply(1.0, None), 2), read_reply(reply(0.0), 1))
    assert both == Rewards(
        "flip", [1.0, None, 0.0], ["correct", "error", "correct"], {"clean": [1.0, None, 0.0]}, "1", "c"
    )
    assert (both.unscored, both.mean("clean"), len(both)) == ([1], 0.5, 3)


def test_replicas_of_different_configurations_are_named() -> None:
    all_three = joined(*(read_reply(reply(1.0, config=config), 1) for config in ("a", "b", "a")))
    assert all_three.config == "a+b"


def test_replies_of_different_rewards_are_refused() -> None:
    with pytest.raises(BadReply, match="different rewards"):
        joined(read_reply(reply(1.0), 1), read_reply(reply(1.0, reward="rpr"), 1))


@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_reply_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(BadReply, match=f"each of the {size} samples"):
        read_reply(reply(1.0, 0.0), size)


@pytest.mark.parametrize(
    "broken", [[1.0], {}, None, {**reply(1.0), "rewards": ["1"]}, {**reply(1.0), "parts": {"clean": []}}]
)
def test_what_is_no_reply_is_refused(broken: object) -> None:
    with pytest.raises(BadReply):
        read_reply(broken, 1)
