"""`reference=` and `GET /rewards/NAME/noise` as a researcher meets them, on a live server."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import Starter
from running_server import RunningServer

RIGHT, WRONG = "so \\boxed{4}", "so \\boxed{5}"
Json = dict[str, Any]


def post(server: RunningServer, url: str, texts: list[str], groups: list[str], truths: list[str] | None = None) -> Json:
    body = {"completions": texts, "ground_truths": truths or ["4"] * len(texts), "groups": groups}
    reply: Json = server.post(url, body).json()
    return reply


def noise(server: RunningServer, name: str, query: str = "") -> Json:
    """The one config that the query picks."""
    answer = server.get(f"/rewards/{name}/noise?{query}")
    assert answer.status_code == 200
    (config,) = answer.json()["configs"].values()
    found: Json = config
    return found


def holds(interval: Json, truth: float) -> bool:
    return bool(interval["low"] <= truth <= interval["high"])


def test_planted_noise_is_measured_and_the_check_itself_is_found_free_of_it(own_server: RunningServer) -> None:
    """1,000 questions of 6 rollouts, of which 60 % are right; each text is another one, so each has its own flip."""
    query = "false_positive_prob=0.1&false_negative_prob=0.25&flip_scope=sample&reference=math&seed=5"
    rng, rewards = np.random.default_rng(1), []
    for begin in range(0, 1000, 250):
        groups = [f"planted {question}" for question in range(begin, begin + 250) for _ in range(6)]
        texts = [f"{n} {RIGHT if rng.random() < 0.6 else WRONG}" for n in range(1500)]
        reply = post(own_server, f"/score/flip?{query}", texts, groups)
        asked = [opinion is not None for opinion in reply["parts"]["reference"]]
        assert [sum(asked[row : row + 6]) for row in range(0, 1500, 6)] == [1] * 250
        rewards += reply["rewards"]
    measured = noise(own_server, "flip", query)
    paid = measured["paid"]["since_start"]
    assert measured["questions"] == paid["n"] == 1000
    assert (paid["graded"], paid["v"]) == (6000, pytest.approx(np.mean(rewards), abs=1e-6))
    assert holds(paid["rho0"], 0.1) and holds(paid["rho1"], 0.25) and holds(paid["J"], 0.65)
    assert abs(paid["accuracy"]["value"] - 0.6) <= 0.02 and abs(paid["v"] - 0.6) > 0.02
    assert paid["rho0"]["high"] - paid["rho0"]["low"] < 0.08
    check = measured["check"]["since_start"]
    assert (check["rho0"]["value"], check["rho1"]["value"], check["J"]["value"]) == (0, 0, 1)
    assert not measured["paid"]["alarms"]["J"]["alarm"] and not measured["paid"]["alarms"]["drift"]["alarm"]
    counted = {
        (paid, says): own_server.metric("reward_confusion_total", reward="flip", paid=paid, reference=says)
        for paid in "01"
        for says in "01"
    }
    assert (counted["1", "1"], counted["0", "1"]) == (paid["k1"], paid["k0"])
    assert sum(counted.values()) == 1000


def test_a_string_match_misses_what_is_equal_and_the_table_says_of_which_kind(own_server: RunningServer) -> None:
    texts = ["\\boxed{\\frac{2}{4}}", "\\boxed{0.5}", "\\boxed{7}"] * 40
    truths = ["\\frac{1}{2}", "\\frac{1}{2}", "7"] * 40
    query = "check=string&reference=math"
    reply = post(own_server, f"/score/verifier?{query}", texts, [f"q{n}" for n in range(120)], truths)
    assert reply["rewards"] == [0.0, 1.0, 1.0] * 40
    assert reply["parts"]["reference"] == [1.0] * 120
    check = noise(own_server, "verifier", query)["check"]
    assert check["since_start"]["rho1"]["value"] == pytest.approx(1 / 3, abs=1e-4)
    kinds = check["by_kind_of_ground_truth"]
    assert kinds["fraction"]["rho1"]["value"] == 0.5 and kinds["integer"]["k1"] == 40
    assert set(check["by_tier"]) == {"string"}


def test_the_reference_changes_no_reward_and_one_that_has_none_harms_nobody(own_server: RunningServer) -> None:
    bomb = "\\boxed{" + "(" * 8 + "x+1" + ")^{9^{9^{9}}}" * 8 + "}"
    texts = [RIGHT, WRONG, "no box", "\\boxed{}", bomb, "<answer>4</answer>"]
    groups = [f"plain {n}" for n in range(6)]
    plain = post(own_server, "/score/verifier?check=string", texts, groups)
    referred = post(own_server, "/score/verifier?check=string&reference=math", texts, groups)
    assert plain["rewards"] == referred["rewards"] and plain["outcomes"] == referred["outcomes"]
    assert plain["config"] != referred["config"] and set(plain["parts"]) == {"clean"}
    assert referred["parts"]["reference_share"] == [1.0] * 6


def test_one_sample_callers_have_each_rollout_asked_and_one_of_a_question_counted(own_server: RunningServer) -> None:
    query = "reference=math&seed=77"
    for question in range(10):
        for text in (RIGHT, WRONG, WRONG):
            reply = post(own_server, f"/score/verifier?{query}", [text], [f"single {question}"])
            assert reply["parts"]["reference"] == [float(text == RIGHT)]
    found = noise(own_server, "verifier", query)
    assert found["questions"] == found["check"]["since_start"]["n"] == 10
    assert found["check"]["since_start"]["graded"] == 30
    assert "too few" in found["check"]["since_start"]["says"]


def test_evaluation_rows_are_neither_asked_nor_counted(own_server: RunningServer) -> None:
    body = {"completions": [RIGHT], "ground_truths": ["4"], "groups": ["e"], "flips": [False]}
    reply = own_server.post("/score/verifier?reference=string&seed=78", body).json()
    assert reply["parts"]["reference"] == [None]
    assert own_server.get("/rewards/verifier/noise?reference=string&seed=78").json()["configs"] == {}


def test_the_page_says_what_is_missing_and_refuses_what_it_does_not_know(own_server: RunningServer) -> None:
    assert "ask a second opinion" in own_server.get("/rewards/rpr/noise").json()["says"]
    assert own_server.get("/rewards/nobody/noise").status_code == 404
    assert own_server.get("/rewards/verifier/noise?nonsense=1").status_code == 422
    assert own_server.get("/rewards/verifier/noise").text.count("\n") > 10  # for people
    refused = own_server.post("/score/verifier?reference=math", {"completions": [RIGHT], "ground_truths": ["4"]})
    assert refused.status_code == 422 and "needs a group or a prompt" in refused.text
    assert own_server.post("/score/verifier?reference=maths", {"completions": []}).status_code == 422


def test_three_replicas_in_any_batch_and_after_a_restart_ask_the_same(
    server: RunningServer, start_server: Starter
) -> None:
    query = "/score/flip?flip_prob=0.4&seed=17&flip_if=length>14&reference=math&reference_share=0.5"
    rows = [(f"{n % 7} {(RIGHT, WRONG)[n % 2]}" + " x" * (n % 3), f"replica {n // 8}") for n in range(160)]

    def found(which: RunningServer, order: list[int], size: int) -> dict[int, tuple[object, ...]]:
        result: dict[int, tuple[object, ...]] = {}
        for begin in range(0, len(order), size):
            chosen = order[begin : begin + size]
            reply = post(which, query, [rows[n][0] for n in chosen], [rows[n][1] for n in chosen])
            columns = [reply["rewards"], *(reply["parts"][name] for name in ("flip_if", "flip_draw", "reference"))]
            result |= dict(zip(chosen, zip(*columns, strict=True), strict=True))
        return result

    expected = found(server, list(range(160)), 160)
    assert 8 <= sum(row[-1] is not None for row in expected.values()) <= 30
    assert found(server, list(range(159, -1, -1)), 160) == expected
    by_group = [
        n for question in np.random.default_rng(0).permutation(20) for n in range(8 * question, 8 * question + 8)
    ]
    with start_server() as replica:
        assert found(replica, by_group, 8) == expected
    with start_server() as restarted:  # other batches: rewards are the same; who is asked goes by the request
        alone = found(restarted, by_group[:40], 1)
    for row, values in alone.items():
        assert values[:-1] == expected[row][:-1]
        assert expected[row][-1] in (None, values[-1])


def test_a_part_of_a_mix_is_measured_under_the_mix_and_under_its_own_name(own_server: RunningServer) -> None:
    rows = {"completions": [RIGHT, WRONG], "ground_truths": ["4", "4"], "groups": ["mixed 1", "mixed 2"]}
    query = "verifier=0.8&rpr=0.2&verifier.reference=math&verifier.seed=91"
    reply = own_server.post(f"/score/mix?{query}", rows)
    assert reply.status_code == 200, reply.text
    assert reply.json()["rewards"] == [pytest.approx(0.8, abs=0.001), 0.0]
    assert noise(own_server, "mix", query) == noise(own_server, "verifier", "reference=math&seed=91")
    assert noise(own_server, "mix", query)["check"]["since_start"]["n"] == 2
    assert own_server.metric("reward_confusion_total", reward="mix", paid="1", reference="1") == 1


def test_trainers_that_cannot_read_null_are_not_told_of_an_opinion_that_nobody_gave(own_server: RunningServer) -> None:
    body = {"query": ["2+2? so \\boxed{4}", "2+2? so \\boxed{5}"], "prompts": ["2+2?"] * 2, "labels": ["4"] * 2}
    logs = own_server.post("/score/flip?flip_prob=0.4&reference=math", body).json()["extra_logs"]
    assert "clean" in logs and not {"reference", "reference_share", "flip_draw"} & set(logs)
    mixed = own_server.post("/score/mix?verifier=1&rpr=1&verifier.reference=math", body).json()["extra_logs"]
    assert "verifier/clean" in mixed and not any("reference" in name for name in mixed)
