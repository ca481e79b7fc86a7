"""Every line that was taken is written or counted as dropped; nobody who hands lines over waits."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from made_record import derivation_of, plan_of
from running_server import HANG_S

from reward_server.records import recorder as module
from reward_server.records.files import rows
from reward_server.records.recorder import BadRecordDir, Paid, Recorder, RecordEvents, Recording
from reward_server.records.row import Row
from reward_server.types import Sample


@dataclass
class Counted:
    """A recorder, and what it counted."""

    folder: Path
    lines: list[float] = field(default_factory=list)
    dropped: list[float] = field(default_factory=list)
    bytes: list[float] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def recorder(self) -> Recorder:
        plain = {"share": 1.0, "max_bytes": 10**9, "has_text": True, "variant": lambda _name: None}
        events = RecordEvents(self.lines.append, self.dropped.append, self.bytes.append)
        return Recorder(Recording(folder=self.folder, **{**plain, **self.options}), events)


def paid(samples: list[Sample], query: str = "", size: int = 100) -> Paid:
    plan = plan_of("verifier", query)
    derivations = [derivation_of(plan, sample) for sample in samples]
    return Paid(plan, samples, derivations, "native", query, "r-1", 1_795_732_801.5, size)


def recorded(folder: Path) -> list[Row]:
    return [row for _, row in rows(folder)]


GROUPS = [Sample("\\boxed{4}", ground_truths=("4",), group=f"q-{number}") for number in range(300)]


def test_what_is_taken_is_written_by_the_end(tmp_path: Path) -> None:
    counted = Counted(tmp_path)
    recorder = counted.recorder()
    recorder.start()
    for run in ("a", "b", "a"):
        recorder.take(paid(GROUPS, f"run={run}&step=5"))
    recorder.close()
    found = recorded(tmp_path)
    assert len(found) == sum(counted.lines) == 900 and not counted.dropped
    assert [row.sample.group for row in found if row.run == "b"] == [sample.group for sample in GROUPS]
    assert len({row.id for row in found}) == 900 and {row.step for row in found} == {5}
    assert sum(counted.bytes) == sum(file.stat().st_size for file in tmp_path.glob("*/*.jsonl"))


@pytest.mark.parametrize("by", ["lines", "bytes"])
def test_behind_a_writer_that_stands_still_lines_are_dropped_and_counted(
    tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "QUEUE_LINES", 3000 if by == "lines" else 10**6)
    monkeypatch.setattr(module, "QUEUE_BYTES", 10**9 if by == "lines" else 1000)
    moves, reached = threading.Event(), threading.Event()

    def variant(_name: str) -> None:
        reached.set()
        assert moves.wait(HANG_S)

    counted = Counted(tmp_path, options={"variant": variant, "share": 0.5})
    recorder = counted.recorder()
    recorder.start()
    taken = paid(GROUPS)
    with caplog.at_level(logging.ERROR):
        recorder.take(taken)
        assert reached.wait(HANG_S)
        for _ in range(20):
            recorder.take(taken)
        assert sum(counted.dropped) > 0
        moves.set()
        recorder.close()
    found = recorded(tmp_path)
    in_share = len({row.question for row in found})
    assert 100 < in_share < 200
    assert len(found) == sum(counted.lines) == 11 * in_share and sum(counted.dropped) == 10 * in_share
    assert "queue is full" in caplog.text
    assert len(caplog.records) == 2, "at once, and the rest at the end"


def test_a_disk_that_stands_still_at_the_end_costs_the_lines_and_not_the_exit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 0.2)
    moves = threading.Event()
    counted = Counted(tmp_path, options={"variant": lambda _name: moves.wait(HANG_S) and None})
    recorder = counted.recorder()
    recorder.start()
    recorder.take(paid(GROUPS))
    recorder.take(paid(GROUPS))
    recorder.close()
    assert sum(counted.dropped) == 600 and "did not take them" in caplog.text
    moves.set()


def test_what_cannot_be_written_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a").write_text("no folder")
    counted = Counted(tmp_path)
    recorder = counted.recorder()
    recorder.start()
    recorder.take(paid(GROUPS, "run=a"))
    recorder.take(paid(GROUPS, "run=b"))
    recorder.close()
    assert sum(counted.dropped) == sum(counted.lines) == len(recorded(tmp_path)) == 300
    said = [int(record.getMessage().split()[0]) for record in caplog.records]
    assert sum(said) == 300 and len(said) <= 2 and "File exists" in caplog.text


def test_one_line_that_cannot_be_made_costs_no_other(tmp_path: Path) -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    counted = Counted(tmp_path)
    recorder = counted.recorder()
    recorder.start()
    fine, deep = GROUPS[0], Sample("x", [{"role": "user", "content": nested}], ("4",))
    recorder.take(paid([fine, deep, fine]))
    recorder.close()
    assert (sum(counted.lines), sum(counted.dropped)) == (2, 1)
    while nested:
        nested = nested.pop()


def test_a_share_is_of_whole_questions_the_same_everywhere(tmp_path: Path) -> None:
    chosen = []
    for replica in ("one", "two"):
        counted = Counted(tmp_path / replica, options={"share": 0.1})
        recorder = counted.recorder()
        recorder.start()
        for visit in range(2):
            again = [Sample(f"{visit} {replica}", "p", ("4",), sample.group, visit) for sample in GROUPS for _ in "ab"]
            recorder.take(paid(again))
        recorder.close()
        found = recorded(tmp_path / replica)
        assert len(found) == sum(counted.lines) and not counted.dropped
        groups = {row.group for row in found}
        assert all(sum(row.group == group for row in found) == 4 for group in groups)
        chosen.append(groups)
    assert chosen[0] == chosen[1] and 15 < len(chosen[0]) < 50


def test_without_texts_no_byte_of_a_text_is_there(tmp_path: Path) -> None:
    recorder = Counted(tmp_path, options={"has_text": False}).recorder()
    recorder.start()
    prompt = "zebra prompt"
    samples = [
        Sample("zebra \\boxed{4}", prompt, ("4",), group="q-1"),
        Sample("zebra zebra", [{"role": "user", "content": prompt}], ("zebra",), group=prompt),
        Sample("zebra", "q", ("4",), wrong_ground_truths=("zebra",)),
        Sample("zebra \ud83d\ude00", "zebra \ud83d\ude00", ("4",)),
    ]
    recorder.take(paid(samples, "run=a"))
    recorder.take(paid(samples, "run=a&answer=turn"))
    recorder.close()
    found = recorded(tmp_path)
    assert len(found) == 8 and found[0].answer == "4"
    for file in tmp_path.rglob("*"):
        assert b"zebra" not in file.read_bytes() if file.is_file() else "zebra" not in file.name


def test_a_folder_that_cannot_be_written_in_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "record", Path("/proc/record")):
        with pytest.raises(BadRecordDir, match="record_dir: cannot write in"):
            Counted(folder).recorder()
    Counted(tmp_path / "new" / "record").recorder()
    assert (tmp_path / "new" / "record").stat().st_mode & 0o777 == 0o700
    assert not list((tmp_path / "new" / "record").iterdir())
