"""What the launcher writes for OpenRLHF, and what it refuses to write."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from trainer_client.openrlhf_grpo import progress
from trainer_client.openrlhf_grpo.dataset import Prepared, prepare
from trainer_client.openrlhf_grpo.mixture import Part
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.rows import BadDataset
from trainer_client.openrlhf_grpo.sources import source
from trainer_client.openrlhf_grpo.template import CHAT_INSTRUCTION, PAPER_INSTRUCTION


def options(**given: Any) -> Options:
    needed = {"model": "m", "dataset": ("d",), "output": Path("o"), "server_url": "http://h", "reward": ("verifier",)}
    return Options(**{**needed, **given})


def written(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def prepared(path: Path, passes: int = 1, flip: bool = True, **given: Any) -> Prepared:
    part = Part(source(str(path), size=0, seed=0), passes)
    return prepare([part], path.parent / "data" / "train.jsonl", options(**given), flip=flip)


def records(made: Prepared) -> list[tuple[Any, dict[str, Any], str]]:
    rows = [json.loads(line) for line in made.path.read_text().splitlines()]
    return [(row["input"], json.loads(row["label"]), row["datasource"]) for row in rows]


def test_the_labels_of_a_route_name_the_data_set(tmp_path: Path) -> None:
    path = written(tmp_path / "d.jsonl", {"question": "2+2?", "answer": "4", "data_source": "openai/gsm8k"})
    part = Part(source(str(path), size=0, seed=0), 1)
    made = prepare([part], tmp_path / "data" / "train.jsonl", options(), flip=True, with_source=True)
    ((_, label, datasource),) = records(made)
    assert label["source"] == datasource == "openai/gsm8k"
    assert made.sources == ["openai/gsm8k"]
    assert "source" not in records(prepared(path))[0][1]


def test_a_wrong_ground_truth_goes_into_the_label_and_label_noise_needs_one(tmp_path: Path) -> None:
    rows = {"question": "2+2?", "answer": "4", "wrong_ground_truth": "5"}, {"question": "1+1?", "answer": "2"}
    part = Part(source(str(written(tmp_path / "d.jsonl", *rows)), size=0, seed=0), 1)
    train = tmp_path / "data" / "train.jsonl"
    labels = [label for _, label, _ in records(prepare([part], train, options(), flip=True))]
    assert labels[0]["wrong_ground_truth"] == "5" and "wrong_ground_truth" not in labels[1]
    with pytest.raises(BadDataset, match=r"'1\+1\?': label_noise needs a column wrong_ground_truth"):
        prepare([part], train, options(), flip=True, with_wrong=True)


def test_epochs_are_copies_with_visits_of_their_own(tmp_path: Path) -> None:
    path = written(tmp_path / "math.jsonl", {"question": "2+2?", "answer": "4"}, "", {"problem": "x?", "solution": 5})
    made = prepared(path, 2)
    labels = [label for _, label, _ in records(made)]
    assert [(label["ground_truth"], label["visit"]) for label in labels] == [("4", 0), (5, 0), ("4", 1), (5, 1)]
    assert labels[0]["group"] == labels[2]["group"] != labels[1]["group"]
    assert all(label["flip"] is True for label in labels)
    assert (made.rows, len(made.groups), made.ground_truths) == (4, 2, ["4", 5, "4", 5])
    assert {datasource for _, _, datasource in records(made)} == {"math"}


def test_a_questions_id_depends_on_its_text_alone(tmp_path: Path) -> None:
    one = prepared(written(tmp_path / "a.jsonl", {"question": "2+2?", "answer": "4"}), template="paper").groups
    other = prepared(written(tmp_path / "b.jsonl", {"problem": " 2+2? ", "label": "5"}), template="chat").groups
    assert one == other
    assert prepared(written(tmp_path / "c.jsonl", {"question": "q", "answer": "4", "group": 7})).groups == {"7"}


def test_evaluation_rows_are_paid_clean(tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", {"question": "2+2?", "answer": "4", "data_source": "aime"})
    ((_, label, datasource),) = records(prepared(path, flip=False))
    assert (label["flip"], datasource) == (False, "aime")


def test_rows_of_other_trainers_are_read(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]
    path = written(tmp_path / "verl.jsonl", {"prompt": messages, "reward_model": {"ground_truth": "4"}})
    ((prompt, label, _),) = records(prepared(path, answer_key="reward_model.ground_truth"))
    assert prompt == f"{PAPER_INSTRUCTION}\nUser: 2+2?\nAssistant: <think>"
    assert label["ground_truth"] == "4"


def test_rewards_without_ground_truth_need_none(tmp_path: Path) -> None:
    ((_, label, _),) = records(prepared(written(tmp_path / "m.jsonl", {"question": "Why?"}), ground_truth=False))
    assert label["ground_truth"] is None


def test_instructions_name_what_the_rewards_read() -> None:
    for instruction in (PAPER_INSTRUCTION, CHAT_INSTRUCTION):
        assert all(part in instruction for part in ("<think>", "</think>", "<answer>", "</answer>", r"\boxed{}"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: expected a JSON object, got list"),
        ({"text": "q"}, "line 2: no question: none of question, problem, prompt in a row with text"),
        ({"question": "q", "gold": 4}, "line 2: no ground truth: none of ground_truth, solution"),
        ({"question": " ", "answer": "4"}, "line 2: the question is no text"),
        ({"question": [{"role": "user"}, {"role": "assistant"}], "answer": "4"}, "line 2: the question has several"),
        ({"question": "q\nUser: more", "answer": "4"}, "line 2: a line of the question begins like a turn"),
        ('{"question": "q", "answer": NaN}', "line 2: .*JSON"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_nothing_is_written(row: object, message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "m.jsonl", {"question": "q", "answer": "4"}, row)
    with pytest.raises(BadDataset, match=message):
        prepared(path)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m.txt", "m.txt: expected FILE.jsonl"),
        ("nowhere.jsonl", "no such file"),
        ("a.jsonl,b.jsonl", "several are words of their own"),
        ("reasoning-gym:x", "pip install"),
        ("org/name", "org/name needs datasets: pip install datasets"),
    ],
)
def test_what_is_no_dataset_is_refused(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.txt").touch()
    for package in ("reasoning_gym", "datasets"):
        monkeypatch.setitem(sys.modules, package, None)  # as where it is not installed
    with pytest.raises(BadDataset, match=message):
        source(text, size=1, seed=0)


def test_parquet_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as where it is not installed
    path = tmp_path / "m.parquet"
    path.touch()
    with pytest.raises(BadDataset, match="pip install pyarrow"):
        source(str(path), size=1, seed=0)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match="no questions"):
        prepared(written(tmp_path / "m.jsonl"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_how_far_it_is_on_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"question": f"{number}?", "answer": "4"} for number in range(4)]
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setattr(progress, "TERMINAL_S", 0.0)
    prepared(written(tmp_path / "math.jsonl", *rows))
    shown = terminal.getvalue().split("\r\x1b[K")[1:]
    assert shown[0].startswith("train.jsonl from math:  2") and shown[0].endswith("%, 1 rows")  # a quarter of the bytes
    assert shown[3:] == ["train.jsonl from math: 100%, 4 rows", "train.jsonl from math: 4 rows\n"]
