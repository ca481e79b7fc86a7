"""Of which samples a second opinion is asked, and that it changes nothing that is paid."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path

import pytest
from pydantic import ValidationError

from reward_server.grading.kind import kind_of
from reward_server.grading.reading import Reading
from reward_server.rewards.flip import FlipReward
from reward_server.rewards.found import Derivation, Found
from reward_server.rewards.noise import answer_draw, flip_draw, judge_draw, label_draw, reference_draw
from reward_server.rewards.reference import checked_and_paid, chosen_rows, opinion
from reward_server.rewards.verify import VerifierReward
from reward_server.types import Outcome, Sample, Verdict

LAB = Path(__file__).parents[2].parent / "shared" / "data" / "noise_lab_golden.jsonl"


def drawn(*parts: object) -> float:
    """The formula of every structure, written down once more."""
    digest = blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def test_the_draw_is_that_of_the_formula() -> None:
    assert reference_draw(seed=0, group="q-1", visit=0) == drawn("reference", 0, "q-1", 0) == 0.4111876165583601
    assert reference_draw(seed=0, group="q-1", visit=3) == 0.4615274800938747


@pytest.mark.skipif(not LAB.is_file(), reason="no ../shared/data with the golden vectors of the noise laboratory")
def test_every_golden_draw_of_a_reference() -> None:
    vectors = [
        vector for line in LAB.read_text().splitlines() if (vector := json.loads(line))["structure"] == "reference"
    ]
    assert len(vectors) == 36
    for each in vectors:
        assert reference_draw(seed=each["seed"], group=each["group"], visit=each["visit"]) == each["u"]


def test_no_two_structures_share_a_draw_and_none_goes_with_another() -> None:
    """Of 20,000 questions a fifth, by each structure: the overlap of any two is that of independent draws."""
    groups = [f"q-{n}" for n in range(20_000)]
    draws = {
        "question": [flip_draw(seed=0, group=group, visit=0) for group in groups],
        "sample": [flip_draw(seed=0, group=group, visit=0, completion="7") for group in groups],
        "answer": [answer_draw(seed=0, group=group, answer="7") for group in groups],
        "label": [label_draw(seed=0, group=group) for group in groups],
        "reference": [reference_draw(seed=0, group=group, visit=0) for group in groups],
        "rm_sim": [judge_draw(seed=0, group=group, answer="7") for group in groups],
    }
    assert len({draw for column in draws.values() for draw in column}) == 6 * 20_000
    low = {name: {row for row, draw in enumerate(column) if draw < 0.2} for name, column in draws.items()}
    for one in low:
        # 99.9 % of Binomial(20,000, 0.2) lies within 4,000 ± 3.29 · sqrt(20,000 · 0.2 · 0.8) = 4,000 ± 186
        assert abs(len(low[one]) - 4000) <= 186
        for other in low:
            if one < other:  # 20,000 · 0.04 = 800, and 4 standard errors of sqrt(20,000 · 0.04 · 0.96) = 27.7
                assert abs(len(low[one] & low[other]) - 800) <= 111, (one, other)


def rows_of(texts: list[str], group: str = "q", share: float = 1.0, visit: int = 0) -> list[int]:
    return chosen_rows([Sample(text, group=group, visit=visit) for text in texts], texts, seed=0, share=share)


def test_one_rollout_of_a_question_is_asked_the_same_one_in_any_order() -> None:
    texts = [f"rollout {n}" for n in range(8)]
    (row,) = rows_of(texts)
    assert [texts[::-1][n] for n in rows_of(texts[::-1])] == [texts[row]]
    assert {texts[n] for visit in range(40) for n in rows_of(texts, visit=visit)} == set(texts)
    assert rows_of(["same", "same"]) == [0, 1]  # one rollout, shown twice


def test_a_share_of_questions_is_asked_by_their_draws_and_a_smaller_share_is_a_part_of_it() -> None:
    samples = [Sample(f"text {k}", group=f"q-{n}") for n in range(2000) for k in range(4)]
    texts = [sample.completion for sample in samples]
    some = set(chosen_rows(samples, texts, seed=3, share=0.1))
    assert (
        some < set(chosen_rows(samples, texts, seed=3, share=0.4)) < set(chosen_rows(samples, texts, seed=3, share=1))
    )
    assert {row // 4 for row in some} == {n for n in range(2000) if drawn("reference", 3, f"q-{n}", 0) < 0.1}
    assert len(some) == len({row // 4 for row in some})
    assert chosen_rows(samples, texts, seed=3, share=0) == []


def test_evaluation_rows_and_lost_ones_are_not_asked() -> None:
    samples = [Sample("a", group="q", flip=False), Sample("", group="r", is_lost=True), Sample("b", group="q")]
    assert chosen_rows(samples, ["a", "", "b"], seed=0, share=1) == [2]


def test_an_opinion_that_fails_is_none_and_pays_as_any_other() -> None:
    reward, plain = VerifierReward(reference="math", reference_share=0.5), VerifierReward()
    reading = Reading("", None, has_eaten_escape=False)
    said = {Outcome.CORRECT: 1.0, Outcome.INCORRECT: 0.0, Outcome.UNPARSEABLE: 0.0, Outcome.UNANSWERED: 0.0}
    for outcome in Outcome:
        verdict = Verdict(outcome, "text", "", "", score=0.25 if outcome is Outcome.PARTIAL else None)
        found = Found(reading, Verdict(Outcome.CORRECT, "text", "", ""), reference=verdict)
        score = reward.settle(Sample("", group="q"), found)
        assert (score.reward, score.outcome) == (1.0, Outcome.CORRECT)
        if outcome is Outcome.PARTIAL:
            assert score.parts["reference"] == 0.25
        elif outcome not in (Outcome.SCORED, Outcome.BAD_FORMAT):
            assert score.parts["reference"] == opinion(verdict) == said.get(outcome)
        assert score.parts["reference_share"] == 0.5
    assert "reference" not in plain.settle(Sample(""), Found(reading, Verdict(Outcome.CORRECT, "", "", ""))).parts


def test_what_is_measured_is_the_check_and_what_was_paid() -> None:
    reward = FlipReward(flip_prob=1.0, reference="math", label_noise=0.5)
    right, wrong = (Verdict(outcome, "text", "", "") for outcome in (Outcome.CORRECT, Outcome.INCORRECT))

    def measured(found: Found) -> tuple[bool, bool] | None:
        return checked_and_paid(Derivation(found, reward.settle(Sample("", group="q"), found)))

    reading = Reading("", None, has_eaten_escape=False)
    assert measured(Found(reading, right)) == (True, False)
    assert measured(Found(reading, right, wrong_verdict=wrong)) == (True, True)  # the wrong label says 0, the flip 1
    assert measured(Found(reading, Verdict(Outcome.ERROR, "error", "", ""))) is None


def test_a_digest_holds_the_reference_only_where_it_is_set_and_a_share_needs_it() -> None:
    assert not {"reference", "reference_share", "seed"} & set(VerifierReward().counted())
    assert {"reference", "reference_share"} & set(FlipReward(flip_prob=0.4).counted()) == set()
    assert FlipReward(flip_prob=0.4).counted()["seed"] == 0  # it always was
    assert VerifierReward(reference="math", seed=7).counted()["seed"] == 7
    with pytest.raises(ValidationError, match="reference_share needs reference"):
        VerifierReward(reference_share=0.1)


def test_a_reference_needs_a_question() -> None:
    row = Sample("x", ground_truths=("4",))
    assert VerifierReward().lacks(row) is None
    assert "needs a group or a prompt" in str(VerifierReward(reference="math").lacks(row))


@pytest.mark.parametrize(
    ("ground_truth", "kind"),
    [
        *(
            ("12", "integer"),
            ("-1,000", "integer"),
            ("0.5", "decimal"),
            ("\\frac{1}{2}", "fraction"),
            ("3/4", "fraction"),
        ),
        *(
            ("30^\\circ", "number"),
            ("(C)", "choice"),
            ("\\text{odd}", "text"),
            ('{"a": 1}', "text"),
            ("[0,1)", "interval"),
        ),
        *(
            ("x > 3", "interval"),
            ("(1,2)", "point"),
            ("2, 3", "list"),
            ("y = 2x + 1", "equation"),
            ("2x + 1", "expression"),
        ),
        *(
            ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "matrix"),
            ("", "other"),
            ("x" * 1001, "long"),
            ("\ud800(", "expression"),
        ),
    ],
)
def test_the_kind_of_a_ground_truth(ground_truth: str, kind: str) -> None:
    assert kind_of(ground_truth) == kind
