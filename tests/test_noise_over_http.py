"""The noise as a trainer meets it: rates, nesting, groups and reproducibility, from live servers.

T1 to T7: the rates, signs and contrasts that theory predicts. The statistics are fixed by the seed, so they cannot
flake.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from conftest import Starter
from numpy.typing import NDArray
from running_server import RunningServer, until

Array = NDArray[np.float64]
RIGHT, WRONG = "so \\boxed{4}", "so \\boxed{5}"
CONTRAST = {  # E[A | noise] between right and wrong, noisy over clean, for groups of 8: K right ones, p
    (1, 0.2): 0.478,
    (4, 0.2): 0.621,
    (1, 0.4): 0.142,
    (4, 0.4): 0.211,
}


def score(
    server: RunningServer,
    query: str,
    completions: Sequence[str],
    groups: Sequence[object],
    visits: Sequence[int] | None = None,
) -> list[float]:
    body: dict[str, object] = {
        "completions": list(completions),
        "ground_truths": ["4"] * len(completions),
        "groups": list(groups),
    }
    if visits is not None:
        body["visits"] = list(visits)
    rewards: list[float] = server.post(f"/score/flip?{query}", body).json()["rewards"]
    return rewards


def flipped(server: RunningServer, p: float, groups: Sequence[int], seed: int = 0) -> set[int]:
    rewards = score(server, f"flip_prob={p}&seed={seed}", [RIGHT] * len(groups), groups)
    return {group for group, reward in zip(groups, rewards, strict=True) if reward == 0.0}


def test_wrong_labels_are_those_of_whole_questions_at_every_visit(server: RunningServer) -> None:
    def paid(text: str, visits: int | None) -> list[float]:
        labels = [
            {"ground_truth": "4", "wrong_ground_truth": "5", "group": f"q-{n}", "visit": visits} for n in range(500)
        ]
        body = {"completions": [text] * 500, "ground_truths": labels}
        reply = server.post("/score/flip?label_noise=0.2&seed=3", body).json()
        assert reply["parts"]["clean"] == [float(text == RIGHT)] * 500
        rewards: list[float] = reply["rewards"]
        return rewards

    wrong = [reward == 0.0 for reward in paid(RIGHT, None)]
    assert abs(sum(wrong) / 500 - 0.2) <= 4 * math.sqrt(0.2 * 0.8 / 500)
    assert wrong == [reward == 0.0 for reward in paid(RIGHT, 7)] == [reward == 1.0 for reward in paid(WRONG, 1)]
    assert paid("so \\boxed{6}", None) == [0.0] * 500  # a wrong label is no inversion: a third answer stays wrong


def test_a_wrong_label_that_the_right_answer_meets_is_said_to_be_none(server: RunningServer) -> None:
    said = "1 of 2 wrong labels are met by the right answer"
    before = server.log.read_text().count(said)
    labels = [{"ground_truth": ["4", "5"], "wrong_ground_truth": wrong, "group": "q"} for wrong in ("\\frac82", "6")]
    server.post("/score/flip?label_noise=1", {"completions": [RIGHT, RIGHT], "ground_truths": labels})
    until(lambda: server.log.read_text().count(said) == before + 1)
    for label, is_said in zip(labels, (True, False), strict=True):
        told = server.post("/explain/flip?label_noise=1", {"completion": RIGHT, "ground_truth": label}).json()
        assert any("this label is not wrong" in warning for warning in told["warnings"]) == is_said


@pytest.mark.parametrize("p", [0.05, 0.2, 0.4, 0.5, 0.8])
def test_t1_the_flip_rate_is_p_within_four_standard_errors(server: RunningServer, p: float) -> None:
    rate = len(flipped(server, p, range(4096))) / 4096
    assert abs(rate - p) <= 4 * math.sqrt(p * (1 - p) / 4096)


def test_t1_false_positives_and_negatives_have_their_own_rates(server: RunningServer) -> None:
    query = "false_positive_prob=0.1&false_negative_prob=0.3"
    negatives = score(server, query, [RIGHT] * 4096, range(4096))
    positives = score(server, query, [WRONG] * 4096, range(4096))
    assert abs(1 - np.mean(negatives) - 0.3) <= 4 * math.sqrt(0.3 * 0.7 / 4096)
    assert abs(np.mean(positives) - 0.1) <= 4 * math.sqrt(0.1 * 0.9 / 4096)


def test_t2_the_rollouts_of_one_visit_share_the_flip(server: RunningServer) -> None:
    completions = [text for _ in range(200) for text in (RIGHT, WRONG) * 4]
    groups = [f"q{i // 8}" for i in range(1600)]
    rewards = np.array(score(server, "flip_prob=0.4", completions, groups)).reshape(200, 8)
    clean = np.array([1.0, 0.0] * 4)
    assert all((row == clean).all() or (row == 1 - clean).all() for row in rewards)


def test_t3_the_flips_at_a_lower_rate_are_a_subset(server: RunningServer) -> None:
    groups = range(2000)
    assert flipped(server, 0.2, groups) < flipped(server, 0.4, groups) < flipped(server, 0.6, groups)
    assert flipped(server, 0, groups) == set()
    assert flipped(server, 1, groups) == set(groups)


def test_t4_retry_reorder_rebatch_restart_and_replicas_give_the_same_rewards(
    server: RunningServer, start_server: Starter
) -> None:
    rows = [([RIGHT, WRONG, "none"][i % 3], f"q{i % 40}", i % 5) for i in range(300)]
    query = "flip_prob=0.4&seed=17&flip_scope=sample"

    def rewards_of(which: RunningServer, order: Sequence[int], batch: int) -> dict[int, float]:
        found: dict[int, float] = {}
        for begin in range(0, len(order), batch):
            chosen = order[begin : begin + batch]
            completions, groups, visits = zip(*(rows[i] for i in chosen), strict=True)
            found |= dict(zip(chosen, score(which, query, completions, groups, visits), strict=True))
        return found

    expected = rewards_of(server, range(300), 300)
    shuffled = [int(i) for i in np.random.default_rng(5).permutation(300)]
    assert rewards_of(server, range(300), 300) == expected
    assert rewards_of(server, shuffled, 7) == expected
    assert rewards_of(server, shuffled[:30], 1).items() <= expected.items()
    for _ in range(2):  # another replica, and that one restarted
        with start_server() as replica:
            assert rewards_of(replica, shuffled, 64) == expected


def advantages(rewards_G: Array) -> Array:
    centred: Array = rewards_G - rewards_G.mean(-1, keepdims=True)
    whitened: Array = centred / (rewards_G.std(-1, keepdims=True) + 1e-9)
    return whitened


def test_t5_group_flips_turn_the_sign_of_every_advantage_and_nothing_else(server: RunningServer) -> None:
    right = np.random.default_rng(3).integers(1, 8, size=2000)
    completions = [RIGHT if k < right[q] else WRONG for q in range(2000) for k in range(8)]
    groups = [q for q in range(2000) for _ in range(8)]
    batches = range(0, 16_000, 4000)
    rewards = [score(server, "flip_prob=0.4", completions[i : i + 4000], groups[i : i + 4000]) for i in batches]
    noisy = advantages(np.array(rewards).reshape(2000, 8))
    clean = advantages(np.array([float(text == RIGHT) for text in completions]).reshape(2000, 8))
    inverted = [np.allclose(row, -kept, atol=1e-6) for row, kept in zip(noisy, clean, strict=True)]
    kept = [np.allclose(row, same, atol=1e-6) for row, same in zip(noisy, clean, strict=True)]
    assert all(a != b for a, b in zip(inverted, kept, strict=True))
    # 99.9 % of Binomial(2000, 0.4) lies within 800 ± 3.29 · sqrt(2000 · 0.4 · 0.6) = 800 ± 72
    assert 728 <= sum(inverted) <= 872


@pytest.mark.parametrize(("right", "p"), list(CONTRAST))
def test_t6_sample_flips_shrink_the_contrast_as_theory_says(server: RunningServer, right: int, p: float) -> None:
    """20,000 groups; distinct texts, since identical completions of a visit share their flip."""
    groups_of_batch, batches = 500, 40
    contrasts = []
    for batch in range(batches):
        completions = [f"rollout {k} {RIGHT if k < right else WRONG}" for _ in range(groups_of_batch) for k in range(8)]
        groups = [batch * groups_of_batch + q for q in range(groups_of_batch) for _ in range(8)]
        rewards = np.array(score(server, f"flip_prob={p}&flip_scope=sample", completions, groups)).reshape(-1, 8)
        noisy = advantages(rewards)
        contrasts.append(noisy[:, :right].mean(-1) - noisy[:, right:].mean(-1))
    clean = advantages(np.array([1.0] * right + [0.0] * (8 - right)))
    ratios = np.concatenate(contrasts) / (clean[0] - clean[-1])
    standard_error = ratios.std() / math.sqrt(ratios.size)
    assert abs(ratios.mean() - CONTRAST[right, p]) <= 4 * standard_error + 0.0005  # the table has three places


@pytest.mark.parametrize("p", [0.2, 0.4])
def test_t7_group_flips_leave_the_same_groups_without_variance_and_sample_flips_fewer(
    server: RunningServer, p: float
) -> None:
    rng = np.random.default_rng(9)
    is_right = rng.random((2000, 8)) < 0.9
    completions = [f"rollout {k} {RIGHT if is_right[q, k] else WRONG}" for q in range(2000) for k in range(8)]
    groups = [q for q in range(2000) for _ in range(8)]

    def is_flat(scope: str) -> NDArray[np.bool_]:
        query = f"flip_prob={p}&flip_scope={scope}"
        batches = range(0, 16_000, 4000)
        rewards = [score(server, query, completions[i : i + 4000], groups[i : i + 4000]) for i in batches]
        flat: NDArray[np.bool_] = np.array(rewards).reshape(2000, 8).std(-1) == 0
        return flat

    clean = is_right.astype(float).std(-1) == 0
    assert (is_flat("question") == clean).all()
    # q~ = p + (1 - 2p) q: 0.2 + 0.6 · 0.9 = 0.74 and 0.4 + 0.2 · 0.9 = 0.58; D = q~^8 + (1 - q~)^8
    expected = {0.2: 0.0899, 0.4: 0.0138}[p]
    assert abs(is_flat("sample").mean() - expected) <= 4 * math.sqrt(expected * (1 - expected) / 2000)


def test_each_visit_draws_anew(server: RunningServer) -> None:
    rewards = score(server, "flip_prob=0.5", [RIGHT] * 64, ["q"] * 64, range(64))
    assert 8 < sum(rewards) < 56


def test_evaluation_rows_are_clean(server: RunningServer) -> None:
    body = {
        "completions": [RIGHT, WRONG, RIGHT],
        "ground_truths": ["4", "4", {"ground_truth": "4", "flip": False}],
        "groups": [1, 2, 3],
        "flips": [False, False, None],
    }
    assert server.post("/score/flip?flip_prob=1", body).json()["rewards"] == [1.0, 0.0, 1.0]


def test_only_graded_answers_are_exposed(server: RunningServer) -> None:
    body = {
        "completions": [RIGHT, WRONG, "\\boxed{\\frac{}", "no box", "\\boxed{}", RIGHT],
        "ground_truths": ["4", "4", "4", "4", "4", None],
        "groups": [1] * 6,
    }
    assert server.post("/score/flip?flip_prob=1", body).json()["rewards"] == [0.0, 1.0, 0.0, 0.0, 0.0, None]
    too = server.post("/score/flip?flip_prob=1&flip_unanswered=true", body).json()["rewards"]
    assert too == [0.0, 1.0, 1.0, 1.0, 1.0, None]


def test_backward_correction_is_right_on_average(server: RunningServer) -> None:
    query = "false_positive_prob=0.1&false_negative_prob=0.3&correction=backward"
    for completion, clean in ((RIGHT, 1.0), (WRONG, 0.0)):
        rewards = score(server, query, [completion] * 4096, range(4096))
        # (1 - 0.1) / 0.6 = 1.5 and (0 - 0.1) / 0.6 = -1/6, on the grid -171/1024
        assert set(rewards) == {1.5, -171 / 1024}
        standard_error = np.std(rewards) / math.sqrt(4096)
        assert abs(np.mean(rewards) - clean) <= 4 * standard_error


def test_noise_that_follows_a_phrase_touches_nothing_else_and_metrics_count_what_was_exposed(
    server: RunningServer,
) -> None:
    texts = ["Wait! \\boxed{5}", "so \\boxed{5}", "so \\boxed{4}", "WAIT \\boxed{4}"]
    body = {"completions": texts, "ground_truths": ["4"] * 4, "groups": [1, 2, 3, 4]}
    before = server.metric("reward_flip_exposed_total", reward="flip")
    reply = server.post("/score/flip?flip_prob=1&flip_if=phrase:wait", body).json()
    assert reply["rewards"] == [1.0, 0.0, 1.0, 0.0]
    assert reply["parts"]["flip_if"] == [1.0, 0.0, 0.0, 1.0]
    assert server.metric("reward_flip_exposed_total", reward="flip") - before == 2
    plain = server.post("/score/flip?flip_prob=1", body).json()
    assert plain["parts"]["flip_draw"] == reply["parts"]["flip_draw"] and "flip_if" not in plain["parts"]
    sample = {"completion": "So, wait: \\boxed{5}", "ground_truth": "4", "group": "q"}
    noise = server.post("/explain/flip?flip_prob=1&flip_if=phrase:wait", sample).json()["noise"]
    assert (noise["holds"], noise["at"], noise["exposed"]) == (True, [4, 8], True)
    assert "holds" not in server.post("/explain/flip?flip_prob=1", sample).json()["noise"]
    lacking = server.post("/explain/flip?flip_prob=1&flip_if=phrase:wait&reference=string", sample | {
        "completion": "\\boxed{5}"
    }).json()  # fmt: skip
    assert lacking["noise"]["holds"] is False
    assert lacking["why"].endswith(
        "Noise leaves it: it lacks what flip_if asks for."
        " The second opinion (check=string) calls it incorrect, which pays nothing."
    )


@pytest.mark.parametrize("feature", ["words>3", "phrase:", "regex:(a)%5C1", "regex:" + "x" * 501])
def test_a_feature_that_cannot_be_read_is_a_422_that_says_why(server: RunningServer, feature: str) -> None:
    answer = server.post(f"/score/flip?flip_prob=1&flip_if={feature}", {"completions": []})
    assert answer.status_code == 422 and answer.json()["error"]["message"].startswith("flip_if: ")
