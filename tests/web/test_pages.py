"""What the server tells of itself: rewards, OpenAPI, metrics, health."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Starter
from prometheus_client.parser import text_string_to_metric_families
from running_server import RunningServer

from reward_server.rewards.table import REWARDS
from reward_server.types import Outcome


def test_rewards_lists_every_reward_with_its_parameters(server: RunningServer) -> None:
    listed = {reward["name"]: reward for reward in server.get("/rewards").json()["rewards"]}
    assert set(listed) == set(REWARDS)
    for name, model in REWARDS.items():
        assert set(listed[name]["parameters"]) == set(model.model_fields)
        assert listed[name]["meaning"]
        assert all("description" in schema for schema in listed[name]["parameters"].values())


def test_the_openapi_page_has_every_parameter_with_its_type(server: RunningServer) -> None:
    paths = server.get("/openapi.json").json()["paths"]
    for name, model in REWARDS.items():
        for path in (f"/score/{name}", f"/explain/{name}", f"/score/{name}/verify"):
            parameters = {entry["name"]: entry for entry in paths[path]["post"]["parameters"]}
            assert set(parameters) == set(model.model_fields)
            assert all("type" in entry["schema"] or "anyOf" in entry["schema"] for entry in parameters.values())
            assert "application/json" in paths[path]["post"]["requestBody"]["content"]


def test_a_variant_is_on_every_page_with_its_own_defaults(start_server: Starter, tmp_path: Path) -> None:
    config = tmp_path / "rewards.toml"
    config.write_text('[math-noisy]\nbase = "flip"\nflip_prob = 0.4\n')
    with start_server("--config", str(config)) as server:
        variant = server.get("/rewards").json()["rewards"][-1]
        assert (variant["name"], variant["base"], variant["sets"]) == ("math-noisy", "flip", {"flip_prob": 0.4})
        parameters = server.get("/openapi.json").json()["paths"]["/score/math-noisy"]["post"]["parameters"]
        assert {"name": "flip_prob", "default": 0.4}.items() <= {
            "name": "flip_prob",
            "default": next(entry["schema"]["default"] for entry in parameters if entry["name"] == "flip_prob"),
        }.items()
        body = {"completions": ["\\boxed{4}"] * 20, "ground_truths": ["4"] * 20, "groups": list(range(20))}
        same = server.post("/score/flip?flip_prob=0.4", body).json()
        assert server.post("/score/math-noisy", body).json() == same | {"reward": "math-noisy"}


def test_the_metrics_count_what_was_scored(server: RunningServer) -> None:
    def counted(outcome: str) -> float:
        return server.metric("reward_samples_total", reward="flip", outcome=outcome)

    before = {outcome: counted(outcome) for outcome in Outcome}
    flips = server.metric("reward_flips_total", reward="flip")
    exposed = server.metric("reward_flip_exposed_total", reward="flip")
    unscored = server.metric("reward_unscored_total", reward="flip")
    body = {
        "completions": ["\\boxed{4}", "\\boxed{4}", "\\boxed{5}", "none", "\\boxed{4}", "\\boxed{x^{9^{9^{9}}}}"],
        "ground_truths": ["4", {"ground_truth": "4", "flip": False}, "4", "4", None, "x^3"],
        "groups": [1] * 6,
    }
    reply = server.post("/score/flip?flip_prob=1", body).json()
    for outcome in Outcome:
        assert counted(outcome) - before[outcome] == reply["outcomes"].count(outcome), outcome
    assert server.metric("reward_flips_total", reward="flip") - flips == sum(reply["parts"]["flipped"]) == 2
    assert server.metric("reward_flip_exposed_total", reward="flip") - exposed == 2
    assert server.metric("reward_unscored_total", reward="flip") - unscored == 1


def test_the_flips_that_were_promised_are_counted_beside_those_that_came(server: RunningServer) -> None:
    before = server.metric("reward_flips_expected_total", reward="flip")
    body = {
        "completions": ["\\boxed{4}", "\\boxed{5}", "\\boxed{5}", "none", "\\boxed{4}"],
        "ground_truths": ["4", "4", "4", "4", {"ground_truth": "4", "flip": False}],
        "groups": [1, 2, 3, 4, 5],
    }
    server.post("/score/flip?false_negative_prob=0.25&false_positive_prob=0.5", body)
    after = server.metric("reward_flips_expected_total", reward="flip")
    assert after - before == pytest.approx(
        1.25
    )  # 0.25 for the right answer, 0.5 for each wrong one; the last two are not exposed


def test_what_alerts_look_at_begins_at_0(start_server: Starter) -> None:
    with start_server() as server:
        page = server.get("/metrics").text.splitlines()
    for reward in REWARDS:
        assert f'reward_unscored_total{{reward="{reward}"}} 0.0' in page
    for code in ("internal_error", "unavailable", "overloaded", "draining", "deadline_exceeded"):
        assert f'reward_rejected_total{{code="{code}"}} 0.0' in page


def test_what_was_paid_is_summed_negative_rewards_apart(server: RunningServer) -> None:
    def paid(sign: str) -> float:
        return server.metric("reward_paid_total", reward="flip", sign=sign)

    server.post("/score/flip?flip_prob=0", {"completions": [], "ground_truths": [], "groups": []})
    before = {sign: paid(sign) for sign in ("plus", "minus")}
    body = {"completions": ["\\boxed{4}", "\\boxed{5}", "\\boxed{5}"], "ground_truths": ["4"] * 3, "groups": [1] * 3}
    query = "false_negative_prob=0&false_positive_prob=0&seed=1"
    server.post(f"/score/flip?{query}", body)  # 1 + 0 + 0
    # (0 - rho_0) / (1 - rho_0) at rho_0 = 0.5 is -1 for a wrong answer that is not flipped, 1 for one that is
    rewards = server.post("/score/flip?false_negative_prob=0&false_positive_prob=0.5&correction=backward", body).json()
    assert paid("plus") - before["plus"] == 1 + sum(value for value in rewards["rewards"] if value > 0)
    assert paid("minus") - before["minus"] == -sum(value for value in rewards["rewards"] if value < 0)
    assert min(rewards["rewards"]) < 0 < max(rewards["rewards"])


def test_rpr_is_counted_wherever_it_is_computed(server: RunningServer) -> None:
    def counted(name: str) -> tuple[float, float]:
        return server.metric("reward_rpr_count", reward=name), server.metric("reward_rpr_sum", reward=name)

    before = {name: counted(name) for name in ("rpr", "verifier")}
    body = {"completions": ["wait, \\boxed{5}", "\\boxed{4}"], "ground_truths": ["4", "4"]}
    found = [
        server.post("/score/rpr?require_answer=false", body).json()["parts"]["rpr"],
        server.post("/score/verifier?alpha=0.1", body).json()["parts"]["rpr"],
    ]
    server.post("/score/verifier", body)  # alpha is 0: no RPR
    for name, values in zip(before, found, strict=True):
        number, total = counted(name)
        assert number - before[name][0] == 2
        assert total - before[name][1] == pytest.approx(sum(values))
        assert sum(values) > 0


def test_metrics_are_prometheus_text_with_our_prefix_and_no_text_of_a_sample(server: RunningServer) -> None:
    body = {"completions": ["Unmistakable \\boxed{77}"], "ground_truths": ["Unmistakable"], "groups": ["Unmistakable"]}
    server.post("/score/flip?flip_prob=0.5", body)
    page = server.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    families = {family.name for family in text_string_to_metric_families(page.text)}
    ours = {"reward_requests", "reward_samples", "reward_value", "reward_stage_seconds", "reward_queue_depth"}
    assert ours <= families
    assert all(name.startswith(("reward_", "process_", "python_")) for name in families)
    assert "Unmistakable" not in page.text


def test_a_repeated_answer_is_graded_once(server: RunningServer) -> None:
    body = {"completions": ["\\boxed{3+\\ln(y)}"] * 50, "ground_truths": ["\\ln y+3"] * 50}
    before = server.metric("reward_stage_seconds_count", stage="verify")
    for _ in range(2):
        assert server.post("/score/verifier", body).json()["rewards"] == [1.0] * 50
    assert server.metric("reward_stage_seconds_count", stage="verify") == before + 1


def test_health_and_ready_answer(server: RunningServer) -> None:
    assert server.get("/health").json()["status"] == "alive"
    assert server.get("/ready").json()["status"] == "ready"
