"""Several data sets, in shares, and data sets by way of Hugging Face's `datasets`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from trainer_programs import ROOT, printed, python_of

from trainer_client.openrlhf_grpo import mixture
from trainer_client.openrlhf_grpo.arguments import parse
from trainer_client.openrlhf_grpo.dataset import prepare
from trainer_client.openrlhf_grpo.mixture import Part, shared, training
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.rows import BadDataset, Source

NEEDED = ["--model", "m", "--output", "/o", "--server-url", "http://h", "--reward", "verifier"]


def questions(name: str, count: int) -> list[dict[str, str]]:
    return [{"question": f"{name} {number}?", "answer": str(number)} for number in range(count)]


def written(path: Path, rows: list[dict[str, str]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def options(*datasets: str, words: tuple[str, ...] = ()) -> Options:
    return parse([*NEEDED, "--dataset", *datasets, *words])


def rows_of(path: Path) -> list[tuple[str, int]]:
    """(data set, visit) of every row, and that no question has a visit twice."""
    labels = [json.loads(json.loads(line)["label"]) for line in path.read_text().splitlines()]
    assert len({(label["group"], label["visit"]) for label in labels}) == len(labels)
    names = [json.loads(line)["datasource"] for line in path.read_text().splitlines()]
    return [(name, label["visit"]) for name, label in zip(names, labels, strict=True)]


def test_data_sets_without_shares_are_put_together(tmp_path: Path) -> None:
    a, b = written(tmp_path / "a.jsonl", questions("a", 3)), written(tmp_path / "b.jsonl", questions("b", 2))
    given = options(a, b, words=("--epochs", "2"))
    made = prepare(training(given), tmp_path / "data.jsonl", given, flip=True)
    assert Counter(rows_of(made.path)) == {("a", 0): 3, ("a", 1): 3, ("b", 0): 2, ("b", 1): 2}
    assert (made.rows, made.visits) == (10, 2)


def test_shares_hold_and_what_is_asked_more_often_has_visits_of_its_own(tmp_path: Path) -> None:
    large, small = written(tmp_path / "l.jsonl", questions("l", 30)), written(tmp_path / "s.jsonl", questions("s", 4))
    given = options(f"{large}=0.75", f"{small}=0.25")
    made = prepare(training(given), tmp_path / "data.jsonl", given, flip=True)
    # 40 rows, of which a quarter are 10: each of the 4 questions twice, and 2 of them once more
    assert Counter(rows_of(made.path)) == {("l", 0): 30, ("s", 0): 4, ("s", 1): 4, ("s", 2): 2}
    third = [json.loads(line)["input"] for line in made.path.read_text().splitlines()][-2:]
    assert ["s 1?" in third[0], "s 3?" in third[1]] == [True, True]  # spread over the data set


@pytest.mark.parametrize(
    ("counts", "shares", "epochs", "rows"),
    [
        ([100, 100], ["1", "1"], 1, [100, 100]),
        ([100, 10], ["0.5", "0.5"], 1, [100, 100]),
        ([100, 10], ["0.9", "0.1"], 2, [200, 23]),  # 200 / 0.9 x 0.1 = 22.2
        ([7, 5, 3], ["0.2", "0.3", "0.5"], 1, [7, 11, 18]),  # 35 rows: 7, 10.5, 17.5
    ],
)
def test_the_rows_of_a_mixture(counts: list[int], shares: list[str], epochs: int, rows: list[int]) -> None:
    def source(count: int) -> Source:
        return Source("s", count, lambda: (("", 0, {}) for _ in range(count)))

    parts = shared([source(count) for count in counts], [Fraction(each) for each in shares], epochs)
    asked = [
        sum(part.is_asked(row, visit) for visit in range(part.visits) for row in range(count))
        for part, count in zip(parts, counts, strict=True)
    ]
    assert asked == rows
    assert min(part.passes for part in parts) == epochs


@pytest.mark.parametrize(
    ("datasets", "words", "problem"),
    [
        (("a=0.5", "b"), (), "every data set a share"),
        (("a=0", "b=1"), (), "a share of 0"),
        (("a",), ("--eval-dataset", "b=0.5"), "--eval-dataset has no shares"),
    ],
)
def test_shares_that_mean_nothing_are_refused(datasets: tuple[str, ...], words: tuple[str, ...], problem: str) -> None:
    (found,) = mixture.problems(options(*datasets, words=words))
    assert problem in found


def test_a_mixture_of_nothing_is_refused(tmp_path: Path) -> None:
    full, empty = written(tmp_path / "f.jsonl", questions("f", 3)), written(tmp_path / "e.jsonl", [])
    with pytest.raises(BadDataset, match="e: no questions in it"):
        training(options(f"{full}=1", f"{empty}=1"))


def test_two_data_sets_of_one_name_are_evaluated_apart(tmp_path: Path) -> None:
    paths = [written(tmp_path / folder / "test.jsonl", questions(folder, 2)) for folder in ("math", "aime")]
    given = options("d", words=("--eval-dataset", *paths))
    made = prepare(mixture.evaluation(given), tmp_path / "data.jsonl", given, flip=False)
    assert Counter(rows_of(made.path)) == {("test-1", 0): 2, ("test-2", 0): 2}
    assert Part(Source("x", 0, lambda: iter(())), 1).visits == 1


LAYOUT = """---
configs:
- config_name: main
  data_files: [{split: train, path: main/train*}, {split: test, path: main/test*}]
- config_name: hard
  data_files: [{split: train, path: hard/*}]
---
"""
"""A README as on the hub."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set in the hub's layout: two configurations, one with a test split."""
    written(tmp_path / "gsm" / "main" / "train.jsonl", questions("train", 12))
    written(tmp_path / "gsm" / "main" / "test.jsonl", questions("test", 4))
    written(tmp_path / "gsm" / "hard" / "train.jsonl", questions("hard", 9))
    (tmp_path / "gsm" / "README.md").write_text(LAYOUT)
    return tmp_path / "gsm"


def launched(tmp_path: Path, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    ran = [python_of("TRAINERS_PYTHON"), "-m", "trainer_client.openrlhf_grpo", "--dry-run", "--gpus", "1"]
    ran += ["--model", "m", "--server-url", url, "--reward", "verifier", "--output", str(tmp_path / "run")]
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*ran, "--prompts", "4", *words],
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def inputs(path: Path) -> Counter[str]:
    """How many questions of each kind."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    return Counter(line["input"].split("User: ")[1].split()[0] for line in lines)


def test_data_sets_of_the_hub_are_read_with_configuration_and_split(tmp_path: Path, folder: Path, server: str) -> None:
    words = [
        "--dataset",
        f"{folder}:main:train=0.5",
        f"{folder}:hard:train=0.5",
        "--eval-dataset",
        f"{folder}:main:test",
    ]
    ran = launched(tmp_path, server, *words)
    assert ran.returncode == 0, ran.stderr
    (line,) = ran.stdout.splitlines()  # whatever `datasets` says, it says elsewhere
    data = tmp_path / "run" / "data"
    assert inputs(data / "train.jsonl") == {"train": 12, "hard": 12}
    assert inputs(data / "evaluation.jsonl") == {"test": 4}
    ((arguments,),) = printed(
        "TRAINERS_PYTHON", "openrlhf_parser.py", url="", given=json.dumps([shlex.split(line)[3:]])
    )
    assert arguments["data"]["prompt_dataset"] == str(data / "train.jsonl")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{folder}", "among the available configs: ['main', 'hard'] "),
        ("{folder}", "(NAME:CONFIG:SPLIT names one)"),
        ("{folder}:other:train", "BuilderConfig 'other' not found"),
        ("{folder}:main:dev", "no split dev; it has train, test (NAME:SPLIT names one)"),
        ("org/nowhere", "org/nowhere: no file or folder here, and not to be had from the Hugging Face hub"),
        ("no:such:data:set", "expected NAME, NAME:SPLIT or NAME:CONFIG:SPLIT"),
    ],
)
def test_a_data_set_that_cannot_be_had_is_named(
    name: str, message: str, tmp_path: Path, folder: Path, server: str
) -> None:
    ran = launched(tmp_path, server, "--dataset", name.format(folder=folder))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


MAKE = """
import datasets, pandas, sys
folder = sys.argv[1] + "/"
table = pandas.DataFrame([{"question": f"saved {number}?", "answer": str(number)} for number in range(5)])
datasets.Dataset.from_pandas(table).save_to_disk(folder + "saved")
datasets.DatasetDict(validation=datasets.Dataset.from_pandas(table)).save_to_disk(folder + "dict")
table.to_csv(folder + "table.csv", index=False)
table.to_json(folder + "table.json", orient="records")
"""


def test_saved_data_sets_and_other_files_are_read(tmp_path: Path, server: str) -> None:
    subprocess.run([python_of("TRAINERS_PYTHON"), "-c", MAKE, str(tmp_path)], check=True, capture_output=True)
    names = ["saved", "table.csv", "table.json"]
    words = ["--dataset", *(str(tmp_path / name) for name in names), "--eval-dataset", str(tmp_path / "dict")]
    ran = launched(tmp_path, server, *words)
    assert ran.returncode == 0, ran.stderr
    assert inputs(tmp_path / "run" / "data" / "train.jsonl") == {"saved": 15}
    assert inputs(tmp_path / "run" / "data" / "evaluation.jsonl") == {"saved": 5}
    assert "5 of 5 evaluation questions are training questions too" in ran.stderr
