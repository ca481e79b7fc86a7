"""Coverage-guided fuzzing (atheris) of what reads answers: boxes, the normaliser, the cheap tiers, other formats.

    make fuzz SECONDS=3600

An input is a ground truth and a completion around a NUL. What may not happen: an exception, more than `MAX_SECONDS`,
or one of the properties below failing. A failure is written to `.fuzz/findings.jsonl` and the run goes on, so that an
hour's run is an hour's; `make fuzz` fails at its end if there were any.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["reward_server"]):
    from reward_server.dialects.completion import without_prompt
    from reward_server.grading.answer import last_box
    from reward_server.grading.numbers.exact_number import read_number
    from reward_server.grading.numbers.units import split_unit
    from reward_server.grading.string_check import is_same_string, last_box_string
    from reward_server.grading.structures.shape import read_shape
    from reward_server.grading.symbolic import algebra
    from reward_server.grading.text.normalise import compact, normalise
    from reward_server.grading.tiers import MAX_ANSWER_CHARS, judge_cheaply
    from reward_server.grading.turn import has_eaten_escape, own_turn
    from reward_server.reward_model.answer_format import answer_in
    from reward_server.reward_model.chat import UnusablePrompt, chat_of
    from reward_server.types import Outcome

MAX_SECONDS = 2.0  # 2,000 characters; a quadratic step would pass it on any machine
WORK = Path(".fuzz")
EXAMPLES_A_KIND = 3
EXCLUSIVE = (
    "17", "18", "-17", "0.45", r"\frac{3}{7}", "0", r"2\sqrt{3}", r"\pi", "x^2+1", "3i", "(6,-5)", r"\{6,-5\}",
    "(6,8]", r"(-\infty,1)\cup(2,\infty)", "B", "C", "310_7", r"\text{odd}", r"\text{even}", "y = 2x+3", "5:8",
    r"\begin{pmatrix} 1 \\ -3 \end{pmatrix}", r"\frac{1}{x}", r"\ln 2",
)  # fmt: skip
"""No answer is right for two of these: one that is would be paid whatever the question."""
AT_ONCE = 6
_found: dict[str, int] = {}


def properties(ground_truth: str, completion: str) -> None:
    """Everything that has to hold of any two texts."""
    turn = own_turn(completion)
    assert completion.startswith(turn)
    has_eaten_escape(completion)
    box = last_box(turn)
    if box is not None:
        assert turn[box.start : box.end] == box.text, "the span is not the text"
        assert turn[: box.start].rstrip().endswith("{") and turn[box.end] == "}", "the span is in no braces"
    boxed = last_box_string(turn)
    assert boxed is None or boxed in turn
    answer = completion if box is None else box.text
    for text in (ground_truth, answer):
        of_one_text(text)
    of_a_pair(ground_truth, answer)
    without_prompt(completion, ground_truth)


def of_one_text(text: str) -> None:
    form = normalise(text)
    compact(form)
    value, unit = split_unit(form)
    assert not unit or len(value) < len(form)
    number = read_number(form)
    assert number is None or read_number(normalise(form)) == number, "normalising again changes the number"
    shape = read_shape(form)
    assert shape.kind != "value" or not shape.parts
    found = algebra.reading(form)
    assert found is None or all(part >= 0 for part in (*found.top, *found.bottom))
    for answer_format in ("tags", "think", "plain"):
        found = answer_in(text, answer_format)
        assert found is None or (found and found in text)
    with suppress(UnusablePrompt):
        assert chat_of(text)


def of_a_pair(ground_truth: str, answer: str) -> None:
    verdict = judge_cheaply(ground_truth, answer)
    assert verdict == judge_cheaply(ground_truth, answer), "another verdict the second time"
    assert verdict is None or verdict.outcome in {
        Outcome.CORRECT, Outcome.INCORRECT, Outcome.UNPARSEABLE, Outcome.UNGRADABLE
    }  # fmt: skip
    itself = judge_cheaply(answer, answer)
    assert itself is not None and itself.outcome is not Outcome.INCORRECT, "a text is not its own answer"
    assert itself.outcome is Outcome.CORRECT or not normalise(answer) or len(answer) > MAX_ANSWER_CHARS
    assert is_same_string(ground_truth, answer) == is_same_string(answer, ground_truth)
    start = len(answer) % len(EXCLUSIVE)  # some of them each time: all of them would be most of the work
    paid = [truth for truth in (EXCLUSIVE * 2)[start : start + AT_ONCE] if _is_correct(truth, answer)]
    assert len(paid) < 2, f"one answer for {paid}"


def _is_correct(ground_truth: str, answer: str) -> bool:
    verdict = judge_cheaply(ground_truth, answer)
    return verdict is not None and verdict.outcome is Outcome.CORRECT


def one_input(data: bytes) -> None:
    """What atheris calls. Bytes that are no UTF-8 become lone surrogates."""
    ground_truth, _, completion = data.decode("utf-8", "surrogateescape").partition("\0")
    started = time.process_time()
    try:
        properties(ground_truth, completion)
        assert time.process_time() - started < MAX_SECONDS, "too slow"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        _record(error, ground_truth, completion)


def _record(error: Exception, ground_truth: str, completion: str) -> None:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    kind = f"{type(error).__name__} {Path(frame.filename).name}:{frame.lineno}"
    _found[kind] = _found.get(kind, 0) + 1
    if _found[kind] <= EXAMPLES_A_KIND:
        finding = {"kind": kind, "error": str(error), "ground_truth": ground_truth, "completion": completion}
        with (WORK / "findings.jsonl").open("a") as file:
            file.write(json.dumps(finding) + "\n")


def write_seeds(folder: Path, rows: list[dict[str, str]]) -> None:
    """The pairs of the test data, as the inputs to start from."""
    for number, row in enumerate(itertools.chain(rows, ({"ground_truth": text, "answer": text} for text in EXCLUSIVE))):
        text = f"{row['ground_truth']}\0\\boxed{{{row['answer']}}}"
        (folder / f"seed-{number}").write_bytes(text.encode("utf-8", "surrogateescape"))


def main() -> None:
    seeds = WORK / "seeds"
    corpus = WORK / "corpus"
    for folder in (seeds, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    (WORK / "findings.jsonl").unlink(missing_ok=True)
    pairs = Path("tests/data/verifier_pairs.jsonl")
    rows = [json.loads(line) for line in pairs.read_text().splitlines()] if pairs.exists() else []
    write_seeds(seeds, [{"ground_truth": row["ground_truth"], "answer": row["answer"]} for row in rows])
    atheris.Setup([*sys.argv, str(corpus), str(seeds)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
