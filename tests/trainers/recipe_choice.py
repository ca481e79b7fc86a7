"""The check of docs/checks.md on lm-eval's filter, and the filter that GPQA takes, put to texts that lm-eval ships: the
solutions of its MMLU task, written by others, as they stand and changed. Argument: the check's folder. Prints JSON."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import lm_eval
import yaml
from lm_eval.filters.extraction import MultiChoiceRegexFilter

TASKS = Path(lm_eval.__file__).parent / "tasks" / "mmlu" / "flan_cot_fewshot"
GPQA = MultiChoiceRegexFilter(r"(\([A-Z]\))", group_select=-1, ignore_case=True, ignore_punctuation=True)
END = re.compile(r"\s*(?:(?:The|So the|Thus,? the|Therefore,? the) )?answer is \(?([A-D])\)?\.?\s*$")
Row = tuple[str, str, str]
"""A question with its options, a solution, and the letter that it ends in."""


def rows() -> Iterator[Row]:
    """Those that end in one of four letters."""
    for file in sorted(TASKS.glob("mmlu_*.yaml")):
        described = yaml.load(re.sub(r"!function \S+", "", file.read_text()), yaml.CSafeLoader)
        for sample in described["fewshot_config"]["samples"]:
            if (end := END.search(sample["target"])) is not None:
                yield sample["question"], sample["target"], end[1]


def next_letter(letter: str) -> str:
    return "ABCD"["ABCD".index(letter) - 3]


CHANGED: dict[str, Callable[[str, str, str], str]] = {
    "as written": lambda _question, text, _letter: text,
    "without its last sentence": lambda _question, text, _letter: END.sub("", text),
    "in a box": lambda _question, text, letter: rf"{END.sub('', text)} \boxed{{{letter}}}",
    "bold": lambda _question, text, letter: f"{END.sub('', text)} The answer is **{letter}**.",
    "then another letter": lambda _question, text, letter: f"{text} ({next_letter(letter)}) is wrong.",
    "then another answer": lambda _question, text, letter: f"{text} The answer is ({next_letter(letter)}).",
    "before it another answer": lambda _question, text, letter: f"The answer is ({next_letter(letter)})? {text}",
    "all four answers": lambda *_row: " ".join(f"The answer is ({letter})." for letter in "ABCD"),
    "the question alone": lambda question, _text, _letter: question,
    "The answer is Debatable.": lambda *_row: "The answer is Debatable.",
}


def gpqa(text: str, letter: str, question: str) -> bool:
    choices = re.split(r"\s*\([A-D]\)\s*", question)[-4:]
    ((found,),) = GPQA.apply([[text]], [{"choices": choices}])
    return bool(found == f"({letter})")


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    check = importlib.import_module("choice_check").letter
    asked = list(rows())
    few = asked[::40]  # that filter makes a table of all punctuation at each call
    paid = {name: sum(check(changed(*row), row[2]) for row in asked) for name, changed in CHANGED.items()}
    kinds = ("as written", "without its last sentence", "then another letter", "the question alone")
    theirs = {name: sum(gpqa(CHANGED[name](*row), row[2], row[0]) for row in few) for name in kinds}
    heavy = sorted({"torch", "transformers", "datasets", "numpy"} & set(sys.modules))
    place = str(Path(lm_eval.__file__).parents[1])
    print(json.dumps({"texts": len(asked), "paid": paid, "few": len(few), "gpqa": theirs}))
    print(json.dumps({"heavy": heavy, "place": place}))


if __name__ == "__main__":
    main()
