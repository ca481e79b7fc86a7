"""Samples are counted by reward, config and rows: runs on one server, and evaluation beside training, do not add up."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from running_server import RunningServer

from reward_server import __version__
from reward_server.catalog.catalog import Catalog
from reward_server.counting.sample_metrics import IDLE_S, MAX_CONFIGS, SWEEP_S, SampleMetrics
from reward_server.grading.reading import is_cut_off, read
from reward_server.rewards.found import Derivation, Found
from reward_server.rewards.plan import Plan
from reward_server.settings import Settings
from reward_server.types import Outcome, Sample, Verdict

CATALOG = Catalog(Settings())


def scored(plan: Plan, sample: Sample, outcome: Outcome = Outcome.CORRECT) -> Derivation:
    (reading,) = read([sample.completion], plan.needs.check)
    found = Found(reading, Verdict(outcome, "number", "4", "4"))
    return Derivation(found, plan.reward.settle(sample, found))


def counted(metrics: SampleMetrics, plan: Plan, samples: Sequence[Sample]) -> None:
    metrics.count(plan, samples, [scored(plan, sample) for sample in samples])


def rows(*questions: str, flip: bool = True) -> list[Sample]:
    return [Sample("\\boxed{4}", None, ("4",), group, 0, flip) for group in questions]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def configs(registry: CollectorRegistry) -> set[str]:
    found = {
        line.split('config="')[1].split('"')[0]
        for line in generate_latest(registry).decode().splitlines()
        if "config=" in line
    }
    return found


def counts_on(registry: CollectorRegistry) -> dict[str, float]:
    """All series but those of draws, which one-sample requests do not tell."""
    lines = [
        line for line in generate_latest(registry).decode().splitlines() if line[0] != "#" and "_draws" not in line
    ]
    return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines)}


def test_two_runs_and_an_evaluation_have_series_of_their_own(own_server: RunningServer) -> None:
    body = {"completions": ["\\boxed{4}"] * 8, "ground_truths": ["4"] * 8, "groups": [0, 0, 1, 1, 2, 2, 3, 3]}
    judged = {**body, "ground_truths": [{"ground_truth": "4", "flip": False}] * 8}
    replies = [own_server.post(f"/score/flip?flip_prob={rate}&seed=901", body).json() for rate in (0.4, 1)]
    own_server.post("/score/flip?flip_prob=1&seed=901", judged)

    def value(name: str, config: str, kind: str) -> float:
        return own_server.metric(name, config=config, rows=kind, reward="flip")

    for reply in replies:
        config, total = reply["config"], sum(reply["rewards"])
        assert value("reward_samples_total", config, "train") == value("reward_value_count", config, "train") == 8
        assert value("reward_paid_total", config, "train") == total
        assert value("reward_flips_total", config, "train") == sum(reply["parts"]["flipped"])
    config = replies[1]["config"]
    assert value("reward_paid_total", config, "eval") == value("reward_samples_total", config, "eval") == 8
    assert value("reward_flip_exposed_total", config, "eval") == 0


def test_a_config_is_told_with_its_parameters_and_the_server_with_its_versions(own_server: RunningServer) -> None:
    body = {"completions": ["\\boxed{4}"], "ground_truths": ["4"], "groups": [1]}
    config = own_server.post("/score/flip?seed=902&flip_prob=0.4@0,0.1@10&reply=object", body).json()["config"]
    assert own_server.metric("reward_config_info", config=config, reward="flip") == 1
    page = {family.name: family for family in text_string_to_metric_families(own_server.get("/metrics").text)}
    (info,) = [each.labels for each in page["reward_config_info"].samples if each.labels["config"] == config]
    assert info["parameters"] == "flip_prob=0.4@0,0.1@10&seed=902"
    (told,) = page["reward_server_info"].samples
    assert (told.labels["version"], told.value) == (__version__, 1)
    assert set(told.labels) == {"version", "python", "math_verify", "latex2sympy2_extended", "sympy"}


def test_parameters_are_told_in_200_characters(registry: CollectorRegistry) -> None:
    schedule = ",".join(f"0.{visit:04d}1@{visit}" for visit in range(40))
    plan = CATALOG.resolve("flip", f"flip_prob={schedule}")
    assert len(plan.shown()) == 200
    assert plan.shown().endswith("…")
    counted(SampleMetrics(registry), plan, rows("q"))
    assert plan.shown() in generate_latest(registry).decode()
    strange = CATALOG.resolve("flip", "flip_prob=0.4&flip_if=phrase:\udc80 a")  # a command line may bring such
    assert strange.shown() == "flip_if=phrase%3A%5Cudc80+a&flip_prob=0.4"
    mixed = CATALOG.resolve("mix", "flip=0.7&flip.flip_prob=0.4&flip.flip_unanswered=true&rpr=0.3")
    assert mixed.shown() == "flip=0.7&flip.flip_prob=0.4&flip.flip_unanswered=true&rpr=0.3"


def test_a_series_begins_with_every_outcome_at_0(registry: CollectorRegistry) -> None:
    plan = CATALOG.resolve("verifier", "")
    counted(SampleMetrics(registry), plan, rows("q"))
    labels = {"reward": "verifier", "config": plan.config, "rows": "train"}
    for outcome in Outcome:
        value = registry.get_sample_value("reward_samples_total", {**labels, "outcome": outcome})
        assert value == (outcome is Outcome.CORRECT)


def test_the_65th_config_is_other_and_an_idle_one_gives_its_place_to_it(registry: CollectorRegistry) -> None:
    now = 0.0
    metrics = SampleMetrics(registry, lambda: now)
    plans = [CATALOG.resolve("flip", f"flip_prob=0.4&seed={seed}") for seed in range(MAX_CONFIGS + 20)]
    for plan in plans:
        counted(metrics, plan, rows("q", "q"))
    first = {plan.config for plan in plans[:MAX_CONFIGS]}
    assert configs(registry) == {*first, "other"}
    other = {"reward": "flip", "config": "other", "rows": "train"}
    assert registry.get_sample_value("reward_value_count", other) == 40
    now += SWEEP_S
    counted(metrics, plans[-1], rows("q"))  # sees what the first have counted
    counted(metrics, plans[0], rows("q"))
    now += IDLE_S
    counted(metrics, plans[-1], rows("q"))
    assert configs(registry) == {plans[0].config, plans[-1].config, "other"}
    assert registry.get_sample_value("reward_value_count", {**other, "config": plans[-1].config}) == 1


def test_a_draw_is_counted_once_a_question_and_visit_of_a_batch(registry: CollectorRegistry) -> None:
    metrics, plan = SampleMetrics(registry), CATALOG.resolve("flip", "flip_prob=1")
    counted(metrics, plan, rows(*"aaaabbbb"))
    counted(metrics, plan, [*rows(*"ab"), *rows("c", flip=False)])
    counted(metrics, plan, rows("a"))  # alone it cannot be told from another sample of a draw that was counted
    labels = {"reward": "flip", "config": plan.config, "rows": "train"}
    for name, wanted in (
        ("reward_noise_draws_total", 4),
        ("reward_noise_flipped_draws_total", 4),
        ("reward_noise_flipped_draws_expected_total", 4),
        ("reward_flip_exposed_total", 11),
    ):
        assert registry.get_sample_value(name, labels) == wanted, name


def test_a_draw_under_two_rates_is_counted_by_shares(registry: CollectorRegistry) -> None:
    plan = CATALOG.resolve("flip", "false_negative_prob=1&false_positive_prob=0")
    samples = rows(*"aaaa")
    outcomes = (Outcome.CORRECT, Outcome.INCORRECT, Outcome.INCORRECT, Outcome.INCORRECT)
    SampleMetrics(registry).count(plan, samples, [scored(plan, *row) for row in zip(samples, outcomes, strict=True)])
    labels = {"reward": "flip", "config": plan.config, "rows": "train"}
    assert registry.get_sample_value("reward_noise_draws_total", labels) == 1
    assert registry.get_sample_value("reward_noise_flipped_draws_total", labels) == 0.25
    assert registry.get_sample_value("reward_noise_flipped_draws_expected_total", labels) == 0.25


@pytest.mark.parametrize("query", ["flip_scope=question", "flip_scope=sample", "flip_scope=answer"])
def test_every_scope_counts_its_own_draws(query: str, registry: CollectorRegistry) -> None:
    plan = CATALOG.resolve("flip", f"flip_prob=0.5&{query}")
    samples = [Sample(f"{k} \\boxed{{{k % 2}}}", None, ("4",), "q", 0) for k in range(6)]
    counted(SampleMetrics(registry), plan, samples)
    wanted = {"question": 1, "sample": 6, "answer": 2}[query.removeprefix("flip_scope=")]
    labels = {"reward": "flip", "config": plan.config, "rows": "train"}
    assert registry.get_sample_value("reward_noise_draws_total", labels) == wanted


@pytest.mark.parametrize(
    ("completion", "wanted"),
    [
        ("so we take the square of", True),
        ("so we take the square of<|im_end|>", False),
        ("we cannot know.", False),
        ("so \\boxed{4} and then", False),
        ("so \\boxed{ } and then", True),
        ("so x = \\boxed{4", True),
        ("", False),
        ("  \n", False),
        ("it is 5.  \n\n", False),
        ("答案是五。", False),
        ("答案是", True),
        ("\U0001f600\udc00", True),
        ("half a thought\nUser: what?", False),
    ],
)
def test_a_completion_looks_cut_off_or_does_not(completion: str, wanted: bool) -> None:
    (reading,) = read([completion], "math")
    assert is_cut_off(completion, reading) is wanted


def test_lengths_are_those_of_the_own_turn_and_of_nothing_lost(registry: CollectorRegistry) -> None:
    plan = CATALOG.resolve("verifier", "")
    samples = [Sample("x" * 300 + "<|im_end|>" + "y" * 900, None, ("4",)), Sample("", None, ("4",), is_lost=True)]
    SampleMetrics(registry).count(plan, samples, [scored(plan, sample, Outcome.UNANSWERED) for sample in samples])
    labels = {"reward": "verifier", "config": plan.config, "rows": "train"}
    assert registry.get_sample_value("reward_completion_chars_sum", labels) == 300
    assert registry.get_sample_value("reward_completion_chars_count", labels) == 1
    assert registry.get_sample_value("reward_completion_chars_bucket", {**labels, "le": "512.0"}) == 1


def test_samples_one_by_one_count_as_they_do_together() -> None:
    plan = CATALOG.resolve("flip", "false_negative_prob=0.3&false_positive_prob=0.5&correction=backward&seed=5")
    completions = ("\\boxed{4}", "\\boxed{5}", "no end", "", "  ", "x" * 300 + "</s>rest", "\ud800")
    outcomes = (Outcome.CORRECT, Outcome.INCORRECT, Outcome.UNANSWERED, Outcome.UNGRADABLE, Outcome.ERROR)
    samples = [
        Sample(completion, None, ("4",), f"q{number}", number, flip=number % 3 > 0, is_lost=number == 3)
        for number, completion in enumerate(completions * 8)
    ]
    derivations = [scored(plan, sample, outcomes[number % 5]) for number, sample in enumerate(samples)]
    together, alone = CollectorRegistry(), CollectorRegistry()
    SampleMetrics(together).count(plan, samples, derivations)
    metrics = SampleMetrics(alone)
    for row in range(len(samples)):
        metrics.count(plan, samples[row : row + 1], derivations[row : row + 1])
    assert counts_on(alone) == pytest.approx(counts_on(together))


def test_threads_that_begin_a_config_at_once_lose_nothing(registry: CollectorRegistry) -> None:
    metrics, plan = SampleMetrics(registry), CATALOG.resolve("verifier", "")

    def count() -> None:
        for _ in range(200):
            counted(metrics, plan, rows("q"))

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    labels = {"reward": "verifier", "config": plan.config, "rows": "train"}
    assert registry.get_sample_value("reward_value_count", labels) == 800
