"""The noise that was paid: as set, fresh, and what a verifier's own errors are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_record import FACTS, made_rows, write_record
from msgspec.structs import replace
from typer.testing import CliRunner

from reward_server.catalog.catalog import Catalog
from reward_server.cli import app
from reward_server.offline.audit import binomial, uniform
from reward_server.offline.audit.audit import audit as audited
from reward_server.offline.audit.draws import TABLES, Draws
from reward_server.offline.calibrate import Labelled
from reward_server.offline.replay.plans import recorded_plans
from reward_server.offline.replay.recorded import Recorded
from reward_server.offline.spill import spill
from reward_server.records.row import Row
from reward_server.rewards.noise import flip_draw
from reward_server.settings import Settings
from reward_server.types import Sample

QUERY = "flip_prob=0.4&seed=17"


def rows_of(
    query: str = QUERY,
    *,
    questions: int = 500,
    visits: int = 4,
    fresh: bool = True,
    text: bool = True,
    reward: str = "flip",
) -> list[Row]:
    """One right and one wrong completion of each visit, in requests of one step each."""
    rows: list[Row] = []
    for step in range(visits):
        samples = [
            Sample(f"\\boxed{{{answer}}}", ground_truths=("4",), group=f"q{question}", visit=step if fresh else 0)
            for question in range(questions)
            for answer in (4, 5)
        ]
        made = made_rows(
            samples, reward, query, replace(FACTS, request_id=f"r{step}", time=FACTS.time + step), text=text
        )
        rows += [replace(row, id=f"{step}-{row.id}") for row in made]
    return rows


def audit(*arguments: object, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["audit", *map(str, arguments), "--json"])
    assert result.exit_code == code, f"{result.output} {result.exception!r}"
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def in_record(folder: Path, rows: list[Row], change: Callable[[Row], Row] = lambda row: row) -> Path:
    write_record(folder, [change(row) for row in rows])
    return folder


def test_noise_as_set_and_fresh_is_said_to_be_so(tmp_path: Path) -> None:
    told = audit(in_record(tmp_path, rows_of()))
    (found,) = told["noise"]
    rate = found["rates"]["all"]
    assert (rate["draws"], rate["set"]) == (2000, 0.4)
    assert rate["low"] < 0.4 < rate["high"]
    assert (
        rate["share"]
        == sum(flip_draw(seed=17, group=f"q{q}", visit=v) < 0.4 for q in range(500) for v in range(4)) / 2000
    )
    assert {found["rates"][name]["draws"] for name in ("false_positive_prob", "false_negative_prob")} == {2000}
    assert found["freshness"].items() >= {"returned": 500, "old": 0, "returns": 1500, "is_stale": False}.items()
    assert "as set. Fresh" in told["verdict"]


@pytest.mark.parametrize("text", [True, False])
def test_the_same_visit_each_time_is_not_fresh(tmp_path: Path, text: bool) -> None:
    told = audit(in_record(tmp_path, rows_of(fresh=False, visits=2, text=text)))
    (found,) = told["noise"]
    assert found["rates"]["all"]["draws"] == 500  # and not 1000: the draws are the same
    assert found["freshness"].items() >= {"returned": 500, "old": 500, "is_stale": True}.items()
    assert "100% of the 500 questions that came back had an old visit" in told["verdict"]
    assert "as set" in told["verdict"]


def paid_at_a_half(row: Row) -> Row:
    flipped = flip_draw(seed=99, group=row.group or "", visit=row.visit or 0) < 0.5
    clean = row.parts["clean"] or 0.0
    return replace(row, paid=1 - clean if flipped else clean)


def told_another_rate(row: Row) -> Row:
    return replace(row, query="flip_prob=0.5&seed=17")


def told_another_seed(row: Row) -> Row:
    return replace(row, query="flip_prob=0.4&seed=18")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (paid_at_a_half, "0.4 was set"),
        (told_another_rate, "0.5 was set"),
        (told_another_seed, "draws are not those of their question and visit"),
    ],
)
def test_what_was_not_paid_as_it_was_set_is_off(tmp_path: Path, change: Callable[[Row], Row], reason: str) -> None:
    told = audit(in_record(tmp_path, rows_of(visits=2), change), code=1)
    assert "OFF" in told["verdict"]
    assert reason in told["verdict"]


MIX = "verifier=1&flip=0.5&gate=verifier&flip.flip_unanswered=true&flip.flip_prob=0.4&flip.seed=17"


def test_the_part_of_a_mix_that_flips_is_audited_by_what_that_part_was_paid(tmp_path: Path) -> None:
    rows = rows_of(MIX, questions=200, visits=2, reward="mix")
    told = audit(in_record(tmp_path / "as-set", rows))
    (found,) = told["noise"]
    assert (found["part"], found["rates"]["all"]["draws"], found["contradicted"]) == ("flip", 400, 0)
    one = rows[9]
    rows[9] = replace(one, parts=one.parts | {"flip": 1 - (one.parts["flip"] or 0)})
    (found,) = audit(in_record(tmp_path / "paid-otherwise", rows), code=1)["noise"]
    assert found["contradicted"] == 1


@pytest.mark.parametrize(("reward", "before"), [("flip", ""), ("mix", "flip=1&flip.")])
def test_an_unanswered_row_that_noise_may_flip_earns_no_rpr_and_is_no_contradiction(
    tmp_path: Path, reward: str, before: str
) -> None:
    parameters = ("flip_prob=0.4", "flip_unanswered=true", "alpha=0.5")
    query = before + ("&flip." if before else "&").join(parameters)
    samples = [Sample("Wait, it is 4", ground_truths=("4",), group=f"q{n}", visit=0) for n in range(200)]
    (found,) = audit(in_record(tmp_path, made_rows(samples, reward, query)))["noise"]
    assert (found["rates"]["all"]["draws"], found["contradicted"], found["is_off"]) == (200, 0, False)


def test_a_part_that_noise_may_flip_is_told_from_the_outcome_of_the_mix(tmp_path: Path) -> None:
    """The gate, which another check grades, has its own outcome. The part says itself whether noise could flip it."""
    query = MIX.replace("gate=verifier", "gate=verifier&verifier.answer=tags")
    rows = rows_of(query, questions=200, visits=2, reward="mix")
    assert {row.outcome for row in rows} == {"unanswered"}
    (found,) = audit(in_record(tmp_path, rows))["noise"]
    assert (found["rates"]["all"]["draws"], found["samples"], found["contradicted"]) == (400, 800, 0)


def test_one_row_that_is_paid_against_its_draw_is_off_and_named(tmp_path: Path) -> None:
    rows = rows_of(questions=50, visits=1)
    rows[7] = replace(rows[7], paid=1 - (rows[7].paid or 0))
    told = audit(in_record(tmp_path, rows), code=1)
    (found,) = told["noise"]
    assert (found["contradicted"], found["examples"]) == (1, [f"{next(tmp_path.glob('*/*.jsonl'))}:8"])
    assert "1 rows are not paid what their draw says" in told["verdict"]


@pytest.mark.parametrize(
    ("query", "rates"),
    [
        ("false_positive_prob=0.1&false_negative_prob=0.3", {"false_positive_prob": 0.1, "false_negative_prob": 0.3}),
        ("flip_prob=0.4@0,0.1@2", {"all": 0.25}),
        ("flip_prob=0.2&correction=backward", {"all": 0.2}),
        ("flip_prob=0.2&correction=forward", {"all": 0.2}),
        ("flip_prob=0.2&alpha=0.5", {"all": 0.2}),
        ("flip_prob=0.2&flip_scope=answer", {"all": 0.2}),
        ("flip_prob=0.2&flip_scope=sample", {"all": 0.2}),
    ],
)
def test_every_way_to_set_noise_is_audited(tmp_path: Path, query: str, rates: dict[str, float]) -> None:
    told = audit(in_record(tmp_path, rows_of(f"{query}&seed=3", questions=150)))
    (found,) = told["noise"]
    assert {name: rate["set"] for name, rate in found["rates"].items() if name in rates} == pytest.approx(rates)
    assert found["contradicted"] == found["torn"] == found["foreign"] == 0
    assert (found["freshness"] is None) == ("answer" in query)


def test_questions_come_back_by_step_by_request_or_after_many_rows(tmp_path: Path) -> None:
    rows = rows_of(fresh=False, questions=20, visits=3)
    chunks = [replace(row, request_id=f"{n // 40:016x}-{n % 3}") for n, row in enumerate(rows)]
    alone = [replace(row, request_id=row.id) for row in rows]
    cases = {
        "batches": (rows, PER_DEFAULT, 20),
        "chunks": (chunks, PER_DEFAULT, 20),
        "steps": ([replace(row, step=int(row.id[0])) for row in alone], PER_DEFAULT, 20),
        "one by one": (alone, 30, 20),
        "one step": (alone, PER_DEFAULT, 0),
    }
    for name, (made, per, old) in cases.items():
        found = audit(in_record(tmp_path / name, made), "--per", per)["noise"][0]["freshness"]
        assert (found["old"], found["returned"]) == (old, old), name


PER_DEFAULT = 1024


def made_by_hand(seed: int, visits: int = 2) -> Iterator[Recorded]:
    """400 draws of a right answer, at 0.4."""
    (one,) = made_rows(
        [Sample("\\boxed{4}", ground_truths=("4",), group="q", visit=0)], "flip", f"flip_prob=0.4&seed={seed}"
    )
    for question in range(200):
        for visit in range(visits):
            draw = flip_draw(seed=seed, group=f"q{question}", visit=visit)
            parts = {"clean": 1.0, "flipped": float(draw < 0.4), "flip_draw": draw}
            told = {"group": f"q{question}", "visit": visit, "step": visit, "parts": parts, "paid": float(draw >= 0.4)}
            yield Recorded(Path("made"), 1, replace(one, **told))


def test_noise_as_set_is_called_off_in_at_most_one_of_twenty_seeds() -> None:
    resolve = recorded_plans(Catalog(Settings()))
    alarms = 0
    for seed in range(200):
        with spill(TABLES) as sql:
            draws = Draws(sql)
            draws.add(made_by_hand(seed), resolve)
            alarms += audited(draws, resolve, 1024)["is_off"]
    assert alarms <= 10


def test_too_few_draws_are_said_to_be_too_few_with_how_many_it_takes(tmp_path: Path) -> None:
    told = audit(in_record(tmp_path / "few", rows_of(questions=40, visits=2)))
    assert "of 80 draws flipped" in told["verdict"] and ": as set" not in told["verdict"]
    assert "80 draws; with 323 one could see a difference of 0.1 from the 0.4 that was set" in told["verdict"]
    rate = told["noise"][0]["rates"]["all"]
    assert (rate["is_enough"], rate["draws_needed"], rate["difference"]) == (False, 323, 0.1)
    pair = audit(in_record(tmp_path / "pair", rows_of("false_positive_prob=0&false_negative_prob=0.02", questions=40)))
    assert pair["verdict"].count("too few") == 1  # that a rate is 0 is seen at once
    assert "160 draws; with" in pair["verdict"] and "a difference of 0.01 from the 0.02" in pair["verdict"]
    for_evaluation = [
        replace(row, flip=False, noise={"threshold": 0.4, "exposed": False}) for row in rows_of(questions=3)
    ]
    assert audit(in_record(tmp_path / "none", for_evaluation))["verdict"].startswith("no draw could turn a score. ")


def test_the_number_of_draws_that_it_takes_shows_the_difference_in_four_of_five_runs() -> None:
    from math import comb

    for p, difference, level in ((0.4, 0.1, 0.005), (0.1, 0.05, 0.0025)):
        n, share = binomial.draws_needed(difference, p, level), p + difference
        seen = sum(
            comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1) if binomial.chance(k, n, p) < level
        )
        assert 0.75 < seen < 0.85


def test_noise_without_visits_is_said_in_the_sentence_whether_or_not_a_question_came_back(tmp_path: Path) -> None:
    rows = [replace(row, visit=None) for row in rows_of(fresh=False, visits=2)]
    told = audit(in_record(tmp_path / "back", rows))
    assert "their noise is a wrong label, not noise (no visit was ever sent)" in told["verdict"]
    once = audit(in_record(tmp_path / "once", [row for row in rows if row.id[0] == "0"]))
    assert "No visit was ever sent: no question came back, so its noise is fresh so far" in once["verdict"]
    assert once["noise"][0]["freshness"].items() >= {"visits": 0, "returned": 0}.items()


def test_a_run_that_is_not_fresh_is_named_beside_others_of_the_same_noise(tmp_path: Path) -> None:
    for run in ("a", "b", "c"):
        rows = rows_of(questions=40, visits=3, fresh=run != "b")
        write_record(tmp_path, [replace(row, run=run, id=run + row.id, step=int(row.id[0])) for row in rows])
    told = audit(tmp_path)
    assert "Not fresh: 100% of the 40 questions that came back in b had an old visit" in told["verdict"]
    assert told["noise"][0]["freshness"].items() >= {"returned": 120, "old": 40, "is_stale": True}.items()
    assert told["noise"][0]["freshness"]["stale"]["runs"] == ["b"]
    assert "Fresh: 40 questions came back" in audit(tmp_path, "--run", "a")["verdict"]


def test_labels_tell_how_often_the_verifier_is_wrong(tmp_path: Path) -> None:
    """Every tenth rollout that is paid is wrong, every fifth that is not is right."""
    rows = rows_of(questions=600, visits=1)
    in_record(tmp_path, rows)
    with (tmp_path / "labels.jsonl").open("w") as file:
        for number, row in enumerate(rows):
            question = number // 2
            is_right = question % 10 > 0 if row.parts["clean"] == 1 else question % 5 == 0
            which = {"id": row.id} if number % 3 else {"group": row.group, "completion": row.completion}
            file.write(json.dumps({**which, "correct": None if question == 1 else is_right}) + "\n")
    told = audit(tmp_path, "--labels", tmp_path / "labels.jsonl")["labels"]
    assert (told["rows"], told["labelled"], told["undecided"], told["used"]) == (1200, 1200, 2, 599)
    rates = told["overall"]["rates"]
    for name, truth in (("precision", 0.9), ("false_omission", 0.2), ("accuracy", 0.55)):
        assert rates[name]["low"] < truth < rates[name]["high"]
    for name, truth in (("false_positive_prob", 0.05 / 0.45), ("false_negative_prob", 0.1 / 0.55)):
        assert rates[name]["low"] < truth < rates[name]["high"]
    assert told["query"].startswith("false_positive_prob=0.")
    assert Catalog(Settings()).resolve("flip", told["query"])
    assert (
        sum(tier["counts"]["audited_ones"] for tier in told["tiers"].values())
        == told["overall"]["counts"]["audited_ones"]
    )
    assert len(told["windows"]) == 5
    text = CliRunner().invoke(app, ["audit", str(tmp_path), "--labels", str(tmp_path / "labels.jsonl")]).stdout
    assert f"noise as large as these errors: {told['query']}" in text


def test_a_changed_opinion_counts_once_and_persons_who_differ_cannot_say(tmp_path: Path) -> None:
    rows = rows_of(questions=3, visits=1)[::2]
    in_record(tmp_path, rows)
    said = [(0, "ann", True), (0, "ann", False), (1, "", True), (1, "ann", False), (2, "ann", True), (2, "bob", False)]
    lines = [json.dumps({"id": rows[n].id, "by": by, "correct": correct}) for n, by, correct in said]
    (tmp_path / "labels.jsonl").write_text("\n".join(lines))
    told = audit(tmp_path, "--labels", tmp_path / "labels.jsonl")["labels"]
    assert (told["labelled"], told["undecided"], told["used"]) == (3, 1, 2)
    assert told["overall"]["counts"]["right_ones"] == 0


def test_calibrate_takes_the_last_opinion_of_a_row_and_person() -> None:
    said = [("a", "ann", True), ("b", "ann", True), ("a", "ann", False), ("a", "bob", True), (None, "ann", True)]
    rows = [{"id": id, "by": by, "completion": "x", "prompt": "p", "correct": correct} for id, by, correct in said]
    labelled = Labelled([json.dumps(row).encode() + b"\n" for row in [*rows, rows[-1]]])
    assert (labelled.rows, labelled.changed, labelled.lines[0]) == (5, 1, b"\n")
    assert labelled._labels == [True, False, True, True, True]


@pytest.mark.parametrize(
    ("label", "complaint"),
    [
        ("{", "labels.jsonl:1: a label is a JSON object with `correct`"),
        ('{"id": "x"}', "a label is a JSON object with `correct`"),
        ('{"id": "x", "correct": "yes"}', "must be true, false or null"),
        ('{"group": "x", "correct": true}', "needs the `id` of its row, or `group`"),
        ('{"id": "x", "correct": true}', "no label is of a training row"),
    ],
)
def test_labels_that_fit_nothing_are_refused(tmp_path: Path, label: str, complaint: str) -> None:
    in_record(tmp_path, rows_of(questions=3, visits=1))
    (tmp_path / "labels.jsonl").write_text(label + "\n")
    result = CliRunner().invoke(app, ["audit", str(tmp_path), "--labels", str(tmp_path / "labels.jsonl")])
    assert (result.exit_code, complaint in " ".join(result.stderr.split())) == (2, True), result.output


def test_rows_without_noise_are_said_to_have_none(tmp_path: Path) -> None:
    write_record(tmp_path, made_rows([Sample("\\boxed{4}", ground_truths=("4",))]))
    result = CliRunner().invoke(app, ["audit", str(tmp_path)])
    assert (result.exit_code, "nothing to audit" in result.stderr) == (2, True)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (50, 1000), (999, 1000), (10_180, 25_600)])
def test_exact_intervals_leave_their_tails_out(k: int, n: int) -> None:
    low, high = binomial.interval(k, n)
    assert low <= k / n <= high
    assert k == 0 or binomial.at_least(k, n, low) == pytest.approx(0.025, rel=1e-6)
    assert k == n or 1 - binomial.at_least(k + 1, n, high) == pytest.approx(0.025, rel=1e-6)


def test_the_binomial_tail_is_the_sum_that_it_stands_for() -> None:
    from math import comb

    for n, p in ((1, 0.4), (7, 0.05), (30, 0.5), (60, 0.93)):
        for k in range(n + 2):
            exact = sum(comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1))
            assert binomial.at_least(k, n, p) == pytest.approx(exact, abs=1e-12)


def test_draws_that_crowd_are_not_uniform() -> None:
    even = [(k + 0.5) / 1000 for k in range(1000)]
    assert uniform.chance(uniform.distance(even, 1000), 1000) == 1.0
    crowded = sorted(draw**1.2 for draw in even)
    assert uniform.chance(uniform.distance(crowded, 1000), 1000) < 0.01
