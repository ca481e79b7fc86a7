"""Adapters that need none of their trainer's code to be called, under each trainer's contract."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import math
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trainer_client import (
    AsyncRewardClient,
    BadBatch,
    BadConfiguration,
    InvalidRequest,
    RewardClient,
    Rewards,
    Unscored,
)
from trainer_client.adapters import _shared, _versions, areal, openrlhf, slime, trl, verl

FOUR = r"so \boxed{4}"
MESSAGES = [{"role": "user", "content": "2+2?"}]


@pytest.fixture(autouse=True)
def reward_url(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """REWARD_URL is set; the clients that adapters keep are closed and forgotten."""
    url = f"{server}/score/flip?flip_prob=1&fallback_reward=0.25"
    monkeypatch.setenv("REWARD_URL", url)
    yield url
    _shared.sync_client(None, adapter="openrlhf").close()
    _shared.sync_client(None, areal.DEADLINE_S, adapter="areal").close()
    _shared.sync_client.cache_clear()
    _shared.async_client.cache_clear()


def slime_sample(response: str, label: Any, **metadata: Any) -> Any:
    return SimpleNamespace(prompt=MESSAGES, response=response, label=label, metadata=metadata, index=0, group_index=0)


def test_verl_awaits_a_real_coroutine_function() -> None:
    assert inspect.iscoroutinefunction(verl.compute_score)


def test_verl_filters_by_the_noisy_outcome_and_reports_the_clean_one() -> None:
    info = {"raw_prompt": np.array(MESSAGES, dtype=object), "num_turns": np.int64(2)}
    paid = asyncio.run(verl.compute_score("math", FOUR, "4", info))
    assert (paid["score"], paid["acc"], paid["clean"], paid["unscored"]) == (0.0, 0.0, 1.0, 0.0)  # flip_prob=1


def test_verl_evaluation_rows_are_paid_clean() -> None:
    paid = asyncio.run(verl.compute_score("math", FOUR, "4", {"group": "q", "flip": False}))
    assert (paid["score"], paid["acc"]) == (1.0, 1.0)


def test_verl_pays_the_fallback_or_raises() -> None:
    score = functools.partial(verl.compute_score, "math", FOUR, None, {"group": "q"})
    paid = asyncio.run(score())
    assert (paid["score"], paid["unscored"]) == (0.25, 1.0)
    with pytest.raises(Unscored, match="row 0: ungradable"):
        asyncio.run(score(on_unscored="raise"))
    with pytest.raises(BadConfiguration, match="on_unscored='zero'"):
        asyncio.run(score(on_unscored="zero"))  # type: ignore[arg-type]


def test_verl_without_a_prompt_group_or_index_is_told_so() -> None:
    with pytest.raises(InvalidRequest, match="group or a prompt"):
        asyncio.run(verl.compute_score("math", FOUR, "4", {"index": None}))


@pytest.mark.parametrize(
    ("info", "keyed_by"),
    [
        ({"index": 7}, {"groups": ["math/7"]}),
        ({"index": np.int64(7), "split": "train"}, {"groups": ["math/train/7"]}),
        ({"index": 0, "split": None}, {"groups": ["math/0"]}),
        ({"index": "0c2f", "group": "q"}, {"groups": ["q"]}),
        ({"index": 7, "raw_prompt": MESSAGES}, {"prompts": [MESSAGES]}),  # as before there was a default
    ],
)
def test_verl_knows_a_question_by_its_group_its_prompt_or_its_index(
    server: str, info: dict[str, Any], keyed_by: dict[str, Any]
) -> None:
    url = f"{server}/score/flip?flip_prob=0.5"
    visits = range(16)  # of which some flip
    paid = [asyncio.run(verl.compute_score("math", FOUR, "4", info | {"visit": visit}, url=url)) for visit in visits]
    columns = {name: column * len(visits) for name, column in keyed_by.items()}
    with RewardClient(url) as client:
        scored = client.score([FOUR] * len(visits), ground_truths=["4"] * len(visits), visits=visits, **columns)
    assert [row["score"] for row in paid] == scored.rewards


def test_acc_of_a_corrected_reward_is_the_noisy_outcome(server: str) -> None:
    url = f"{server}/score/flip?flip_prob=0.2&correction=backward"
    paid = [asyncio.run(verl.compute_score("math", FOUR, "4", {"group": str(i)}, url=url)) for i in range(20)]
    # (1 - 0.2) / 0.6 = 1.333 where the answer was kept, (0 - 0.2) / 0.6 = -0.333 where it was turned
    assert {(round(row["score"], 2), row["acc"], row["flipped"]) for row in paid} == {(1.33, 1, 0), (-0.33, 0, 1)}


def test_slime_and_miles_pay_a_number_or_an_object() -> None:
    number = asyncio.run(slime.reward(SimpleNamespace(reward_key=None), slime_sample(FOUR, "4", group="q")))
    assert number == 0.0
    paid = asyncio.run(slime.reward(SimpleNamespace(reward_key="reward"), slime_sample(FOUR, None)))
    assert paid["reward"] == 0.25 and paid["unscored"] == 1.0


def test_slime_keeps_the_stop_token_of_a_response() -> None:
    sample = slime_sample(f"{FOUR}<|im_end|>", "4", flip=False)
    assert asyncio.run(slime.reward(SimpleNamespace(reward_key=None), sample)) == 1.0


def test_slime_scores_a_group_in_order() -> None:
    samples = [slime_sample(FOUR, "4", visit=1), slime_sample("x", "4"), slime_sample(FOUR, "4", flip=False)]
    paid = asyncio.run(slime.group_reward(SimpleNamespace(reward_key="score"), samples))
    assert [reward["score"] for reward in paid] == [0.0, 0.0, 1.0]
    keys = ("reward", "score", "clean", "flipped", "unscored", "unanswered", "timeout")
    assert {tuple(reward) for reward in paid} == {keys}
    assert [reward["unanswered"] for reward in paid] == [0.0, 1.0, 0.0]


@dataclass
class Trained:
    """A sample of slime's, as far as `rm_hub` and `generate_and_rm` read it."""

    response: str
    reward: Any = None
    label: str = "4"
    prompt: Any = "2+2?"
    metadata: Any = field(default_factory=lambda: {"flip": False})


async def batched_async_rm(args: Any, samples: Any) -> Any:
    """The call of slime 0.3.1 and miles 0.1.0 for more than one sample: a custom function is given the list."""
    return await slime.group_reward(args, samples) if args.group_rm else await slime.reward(args, samples)


async def rewards_of_a_fan_out(args: Any, samples: list[Trained]) -> list[Any]:
    """What both do with samples that one generation made: those that it has paid already are not asked for."""
    unpaid = [sample for sample in samples if sample.reward is None]
    for sample, reward in zip(unpaid, await batched_async_rm(args, unpaid), strict=True):
        sample.reward = reward
    return [sample.reward for sample in samples]


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([Trained(FOUR), Trained("x")], [1.0, 0.0]),
        ([Trained(FOUR, reward=0.5), Trained(FOUR)], [0.5, 1.0]),
        ([Trained(FOUR, reward=0.5)], [0.5]),
        ([], []),
    ],
)
def test_slime_pays_each_sample_that_one_generation_made(samples: list[Trained], expected: list[float]) -> None:
    args = SimpleNamespace(reward_key=None, group_rm=False)
    assert asyncio.run(rewards_of_a_fan_out(args, samples)) == expected


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (Trained(FOUR), 1.0),
        ([Trained(FOUR)], [1.0]),
        ([], []),
        ([[]], [[]]),
        ([[Trained(FOUR), Trained("x")], [Trained(FOUR)]], [[1.0, 0.0], [1.0]]),
        ([[Trained("x")], [], Trained(FOUR), [[Trained(FOUR)]]], [[0.0], [], 1.0, [[1.0]]]),
        ((Trained("x"), Trained(FOUR)), [0.0, 1.0]),
    ],
)
@pytest.mark.parametrize("function", [slime.reward, slime.group_reward])
def test_slime_and_miles_get_an_answer_of_the_questions_shape(function: Any, question: Any, answer: Any) -> None:
    assert asyncio.run(function(SimpleNamespace(reward_key=None), question)) == answer
    for_key = asyncio.run(function(SimpleNamespace(reward_key="reward"), question))
    assert only_rewards(for_key) == answer


def only_rewards(paid: Any) -> Any:
    return [only_rewards(each) for each in paid] if isinstance(paid, list) else paid["reward"]


def test_slime_asks_no_server_for_an_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_URL", "http://127.0.0.1:9/score/verifier")
    assert asyncio.run(slime.reward(SimpleNamespace(reward_key=None), [])) == []


def test_slime_over_http_and_by_function_pay_the_same(server: str) -> None:
    url = f"{server}/score/flip?flip_prob=0.5&reply=object"
    with RewardClient(url) as client:
        by_url = client.post({"prompt": MESSAGES, "response": FOUR, "label": "4"})
        by_function = client.score([FOUR], prompts=[MESSAGES], ground_truths=["4"])
    assert by_url["reward"] == by_function.rewards[0] == _shared.shown(by_function, 0, by_url["reward"])


def test_every_adapter_takes_a_prompt_with_an_image_and_asks_the_same_question(server: str) -> None:
    image = SimpleNamespace(size=(64, 64))  # as PIL's: nothing that JSON knows
    content = [{"type": "image", "image": image}, {"type": "text", "text": "2+2?"}]
    prompt: Any = [{"role": "user", "content": content}]
    written = [{"role": "assistant", "content": [{"type": "text", "text": FOUR}]}]
    url = f"{server}/score/flip?flip_prob=0.5"
    function = trl.RewardFunction(url)
    with RewardClient(url) as client, function._client, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("REWARD_URL", url)
        for visit in range(8):
            row, label = {"visit": visit}, {"ground_truth": "4", "visit": visit}
            (expected,) = client.score([FOUR], prompts=[prompt], ground_truths=["4"], visits=[visit]).rewards
            raw_prompt = np.array(prompt, dtype=object)
            verl_score = verl.compute_score("math", FOUR, "4", {"raw_prompt": raw_prompt, **row}, url=url)
            sample = SimpleNamespace(prompt=prompt, response=FOUR, label="4", metadata=row)
            assert [expected] * 6 == [
                client.explain(FOUR, prompt=prompt, ground_truth=label)["value"],
                *function([prompt], [written], answer=["4"], visit=[visit]),
                asyncio.run(verl_score)["score"],
                asyncio.run(slime.reward(SimpleNamespace(reward_key=None), sample)),
                areal.reward_fn(prompt, FOUR, answer="4", visit=visit, images=[image], reward_url=url),
                openrlhf.reward_from(url, [FOUR], [""], [label | {"prompt": prompt}])["rewards"][0],
            ]
    _shared.sync_client(url, areal.DEADLINE_S, adapter="areal").close()
    _shared.sync_client(url, adapter="openrlhf").close()


def test_areal_is_sync_picklable_and_told_its_ground_truth_by_the_row() -> None:
    function = pickle.loads(pickle.dumps(areal.reward_fn))
    assert not inspect.iscoroutinefunction(function)
    assert function("2+2?", FOUR, [1], [2], answer="4", flip=False) == 1.0
    assert function("2+2?", FOUR, [1], [2], answer=None) == 0.25


def test_openrlhf_gets_lists_of_floats() -> None:
    label = {"ground_truth": "4", "flip": False, "visit": 2}
    reply = openrlhf.reward_func([f"2+2?{FOUR}", "2+2?x"], ["2+2?", "2+2?"], [label, "4"])
    assert (reply["rewards"], reply["scores"]) == ([1.0, 0.0], [1.0, 0.0])
    assert {type(value) for values in reply["extra_logs"].values() for value in values} == {float}


def test_trl_sends_the_step_as_visit_unless_the_rows_have_their_own(reward_url: str) -> None:
    columns: dict[str, Any] = {"prompts": ["q", "q"], "completions": [FOUR, FOUR], "answer": ["4", "4"]}
    function = trl.RewardFunction(reward_url.replace("flip_prob=1", "flip_prob=0.5"))
    with function._client:
        for step in range(8):
            cases: list[tuple[Any, list[int]]] = [
                (None, [step, step]),
                ([step + 8, step], [step + 8, step]),
                ([None, step + 8], [step, step + 8]),  # as Arrow writes for a row of another data set
                ([None, None], [step, step]),
                (np.array([np.nan, np.nan]), [step, step]),
            ]
            for row_visits, sent in cases:
                given = columns | ({} if row_visits is None else {"visit": row_visits})
                paid = function(**given, trainer_state=SimpleNamespace(global_step=step))
                scored = function._client.score([FOUR, FOUR], prompts=["q", "q"], ground_truths=["4", "4"], visits=sent)
                assert paid == scored.rewards


def logged_by(function: trl.RewardFunction, *completions: str, **columns: Any) -> tuple[dict[str, float], Any]:
    """What TRL's metrics and its table of completions get from one call."""
    metrics: dict[str, float] = {}
    table: dict[str, list[Any]] = {}
    columns = {"answer": ["4"] * len(completions), "visit": [0] * len(completions)} | columns
    logs = {"log_metric": metrics.__setitem__, "log_extra": table.__setitem__}
    with function._client:
        function(["q"] * len(completions), list(completions), **columns, **logs)
    return metrics, table


def test_trl_logs_what_became_of_the_samples(reward_url: str) -> None:
    cut_off = logged_by(trl.RewardFunction(), "so the answer", "so the answer is")
    shares = {"flip/unscored": 0.0, "flip/unanswered": 1.0, "flip/timeout": 0.0}
    assert cut_off[0] == {"flip/clean": 0.0, "flip/flipped": 0.0, **shares}
    metrics, table = logged_by(trl.RewardFunction(), FOUR, "x", FOUR, answer=["4", "4", None])
    assert metrics["flip/clean"] == 1 / 2  # of the two that could be graded
    assert metrics["flip/flipped"] == metrics["flip/unscored"] == metrics["flip/unanswered"] == 1 / 3
    config = table.pop("flip/config")
    assert table == {
        "flip/outcome": ["correct", "unanswered", "ungradable"],
        "flip/clean": [1.0, 0.0, None],
        "flip/flipped": [1.0, 0.0, 0.0],
    }
    assert len(config) == 3 and len(set(config)) == 1 and len(config[0]) == 12


def test_what_trl_is_given_by_two_functions_is_not_mixed(reward_url: str) -> None:
    metrics, table = logged_by(trl.RewardFunction(name="noisy"), FOUR)
    assert set(metrics) == {f"noisy/{part}" for part in ("clean", "flipped", "unscored", "unanswered", "timeout")}
    assert set(table) == {f"noisy/{column}" for column in ("outcome", "clean", "flipped", "config")}


@pytest.mark.parametrize(
    ("installed", "waits"), [("1.13.0", True), ("1.9.2", True), ("1.14.0", False), ("2.0.dev0", False)]
)
def test_before_trl_1_14_a_rank_logs_every_metric_or_the_others_wait_for_it(
    reward_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: str, waits: bool
) -> None:
    metadata = tmp_path / f"trl-{installed}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: trl\nVersion: {installed}\n")
    monkeypatch.syspath_prepend(tmp_path)
    _versions.older_version.cache_clear()
    metrics, _ = logged_by(trl.RewardFunction(), FOUR, answer=[None])  # no sample has a clean score
    _versions.older_version.cache_clear()
    assert [name for name, mean in metrics.items() if math.isnan(mean)] == (["flip/clean"] if waits else [])
    others = {"flip/flipped": 0.0, "flip/unscored": 1.0, "flip/unanswered": 0.0, "flip/timeout": 0.0}
    assert {name: mean for name, mean in metrics.items() if name != "flip/clean"} == others


def test_trl_takes_conversations_and_leaves_out_what_has_no_reward(server: str) -> None:
    function = trl.RewardFunction(f"{server}/score/verifier", ground_truth_column="target")
    completions = [[{"role": "assistant", "content": FOUR}], [{"role": "assistant", "content": None}], FOUR]
    with function._client:
        assert function([MESSAGES] * 3, completions, target=["4", "4", None], answer=["5"] * 3) == [1.0, 0.0, None]


def test_trl_pays_the_fallback_or_raises_for_trainers_that_cannot_take_none(server: str) -> None:
    rows: dict[str, Any] = {"prompts": ["q", "q"], "completions": [FOUR, FOUR], "answer": ["4", None]}
    url = f"{server}/score/verifier?fallback_reward=0.25"
    falls_back, raises = (trl.RewardFunction(url, on_unscored=choice) for choice in ("fallback", "raise"))
    with falls_back._client, raises._client:
        assert falls_back(**rows) == [1.0, 0.25]
        with pytest.raises(Unscored, match="1 of 2 samples have no reward; row 1: ungradable"):
            raises(**rows)
    twin = trl.AsyncRewardFunction(url, on_unscored="fallback")
    assert asyncio.run(twin(**rows)) == [1.0, 0.25]


def test_an_old_trl_that_pays_0_for_none_is_named(
    server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    function = trl.RewardFunction(f"{server}/score/verifier")
    with function._client:
        function(["q"], [FOUR], answer=[None])
        assert not caplog.records
        monkeypatch.setattr(trl, "older_version", lambda package, *first: f"{package} older than {first}")
        assert function(["q", "q"], [FOUR, FOUR], answer=[None, "4"]) == [None, 1.0]
    assert "1 of 2 samples have no reward, and TRL trl older than (1, 6) pays 0 for them" in caplog.text


@pytest.mark.parametrize(
    ("installed", "older"), [("0.24.0", True), ("1.5.1", True), ("1.6.0", False), ("2.0.dev0", False), ("git", False)]
)
def test_an_installed_version_is_older_or_it_is_not(
    installed: str, older: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_versions, "version", lambda package: installed)
    _versions.older_version.cache_clear()
    assert _versions.older_version("trl", 1, 6) == (installed if older else "")
    _versions.older_version.cache_clear()


@pytest.mark.parametrize(
    ("completion", "scored"),
    [
        ("text", "text"),
        ([{"role": "assistant", "reasoning_content": "hm", "content": "4"}], "<think>\nhm\n</think>\n4"),
        ([{"role": "assistant", "thinking": "hm", "content": ""}], "<think>\nhm\n</think>\n"),  # cut off while thinking
        ([{"role": "assistant", "reasoning_content": "", "content": "4"}], "4"),
        ([{"role": "assistant", "content": [{"type": "text", "text": "4"}, {"type": "image"}]}], "4"),
        ([{"role": "assistant", "content": "4"}, {"role": "tool", "name": "sum", "content": "5"}], "4"),
        ([{"role": "assistant", "content": "5"}, {"role": "tool"}, {"role": "assistant", "content": "4"}], "4"),
        ([{"role": "assistant"}], ""),
        ([{"role": "tool", "content": "5"}], ""),
        ([], ""),
    ],
)
def test_trl_sends_what_the_assistant_wrote_last_reasoning_first(completion: Any, scored: str) -> None:
    assert trl._text(completion) == scored


def test_trl_functions_have_names_and_pickle(server: str) -> None:
    for kind in (trl.RewardFunction, trl.AsyncRewardFunction):
        function = pickle.loads(pickle.dumps(kind(f"{server}/score/verifier", name="noisy")))
        assert function.__name__ == "noisy"
    assert trl.reward_server.__name__ == "reward_server"


def test_a_row_without_any_ground_truth_is_a_wrong_configuration() -> None:
    with pytest.raises(InvalidRequest, match="needs a ground truth"):
        areal.reward_fn("2+2?", FOUR, question="2+2?")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"answer": "4"}, ["4"]),
        ({"ground_truth": None, "answer": "4"}, ["4"]),
        ({"ground_truth": float("nan"), "answer": "4"}, ["4"]),
        ({"ground_truth": {"ground_truth": None}, "answer": "4"}, ["4"]),
        ({"ground_truth": "", "answer": "4"}, [""]),
        ({"answer": None}, [None]),
        ({"question": "4"}, []),
    ],
)
def test_the_ground_truth_is_the_first_that_the_row_has(row: dict[str, Any], expected: list[Any]) -> None:
    assert _shared.ground_truths_of(row) == expected


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"answer": ["4", "5"]}, ["4", "5"]),
        ({"ground_truth": [None, "4"], "answer": ["5", "6"]}, ["5", "4"]),
        ({"ground_truth": [None, None], "solution": [float("nan"), ""], "label": ["4", "5"]}, ["4", ""]),
        ({"ground_truth": np.array([np.nan, 4.0]), "answer": ["5", None]}, ["5", 4.0]),
        ({"ground_truth": [{"ground_truth": None, "group": None}, {}], "answer": ["4", None]}, ["4", None]),
        ({"ground_truth": [None, None]}, [None, None]),
        ({"ground_truth": None, "answer": ["4", None]}, ["4", None]),
        ({"question": ["4"]}, None),
    ],
)
def test_a_null_in_a_column_hides_no_other_column(columns: dict[str, Any], expected: list[Any] | None) -> None:
    assert _shared.table(columns, None).get("ground_truths") == expected


def test_ground_truth_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(BadBatch, match="answer: 1 entries for 2 of ground_truth"):
        _shared.table({"ground_truth": [None, "4"], "answer": ["4"]}, None)


def test_a_list_where_one_sample_was_and_one_where_a_list_was_are_named_before_anything_is_sent(server: str) -> None:
    with pytest.raises(BadBatch, match="solution_str: expected the text of one sample, got list"):
        asyncio.run(verl.compute_score("math", [FOUR], ["4"], {"group": "q"}))  # type: ignore[arg-type]
    with pytest.raises(BadBatch, match="completions: expected the text of one sample, got list"):
        areal.reward_fn("2+2?", [FOUR], answer="4")  # type: ignore[arg-type]
    function = trl.RewardFunction(f"{server}/score/verifier")
    with pytest.raises(BadBatch, match="completions: expected one entry a sample, got one str"):
        function(["2+2?"], FOUR, answer=["4"])  # type: ignore[arg-type]
    with pytest.raises(BadBatch, match="got the messages of one sample"):
        function(["2+2?"], [{"role": "assistant", "content": FOUR}], answer=["4"])


def test_slime_leaves_out_of_the_loss_what_could_not_be_scored() -> None:
    samples = [slime_sample(FOUR, label, group="q") for label in ("4", None, "4")]
    asyncio.run(slime.reward(SimpleNamespace(reward_key=None), samples))
    assert [getattr(sample, "remove_sample", False) for sample in samples] == [False, True, False]


def test_a_url_may_ask_for_an_error_instead_of_the_fallback(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_URL", f"{server}/score/verifier?unscored=error")
    with pytest.raises(InvalidRequest, match="the ground truth is unusable"):
        asyncio.run(slime.reward(SimpleNamespace(reward_key=None), slime_sample(FOUR, None)))


def test_numbers_have_the_same_keys_for_every_sample() -> None:
    outcomes = ["correct", "error", "unanswered", "timeout"]
    parts: dict[str, list[float | None]] = {"clean": [1.0, None, 0.0, 0.0], "flip_draw": [0.2, 0.4, 0.6, 0.8]}
    rewards = Rewards("flip", [1.0, None, 0.0, 0.0], outcomes, parts, "1", "c")
    assert [_shared.numbers(rewards, row) for row in range(4)] == [
        {"clean": 1.0, "unscored": 0.0, "unanswered": 0.0, "timeout": 0.0},
        {"clean": 0.0, "unscored": 1.0, "unanswered": 0.0, "timeout": 0.0},
        {"clean": 0.0, "unscored": 0.0, "unanswered": 1.0, "timeout": 0.0},
        {"clean": 0.0, "unscored": 0.0, "unanswered": 0.0, "timeout": 1.0},
    ]
    assert _shared.means(rewards) == {"clean": 1 / 3, "unscored": 0.25, "unanswered": 0.25, "timeout": 0.25}
    assert json.loads(json.dumps(_shared.numbers(rewards, 1)))


def test_of_a_reward_model_trainers_log_which_completions_lack_the_format() -> None:
    parts: dict[str, list[float | None]] = {"model_score": [0.7, 0.0], "rm": [0.7, 0.0]}
    rewards = Rewards("rm", [0.7, 0.0], ["scored", "bad_format"], parts, "1", "c")
    assert [_shared.numbers(rewards, row)["bad_format"] for row in (0, 1)] == [0.0, 1.0]
    assert _shared.means(rewards)["bad_format"] == 0.5


def test_clients_are_kept_for_each_url(reward_url: str) -> None:
    assert _shared.sync_client(None) is _shared.sync_client(None)
    assert isinstance(_shared.async_client(reward_url), AsyncRewardClient)
