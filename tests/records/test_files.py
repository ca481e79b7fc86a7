"""A record is walked run by run and file by file, with the place of each line; torn lines are skipped and told."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_record import FACTS, made_rows, write_record
from msgspec.structs import replace

from reward_server.records.files import NoRecord, Place, files, lines, row_at, rows, runs
from reward_server.records.text import BadLine
from reward_server.types import Sample

SAMPLES = [Sample(f"so \\boxed{{{number}}}", ground_truths=("4",), group=f"q-{number}") for number in range(5)]


def test_rows_come_with_their_places(tmp_path: Path) -> None:
    for run in ("b", "a"):
        made = made_rows(SAMPLES, facts=replace(FACTS, run=run))
        write_record(tmp_path, made[:2]), write_record(tmp_path, made[2:], number=2)
    assert runs(tmp_path) == ["a", "b"]
    found = list(rows(tmp_path, "a"))
    assert [row.sample for _, row in found] == SAMPLES
    assert [row_at(place) for place, _ in found] == [row for _, row in found]
    assert len(list(rows(tmp_path))) == 10
    (file, _) = files(tmp_path, "a")
    assert [place.offset for place, _ in lines(file)][0] == 0
    assert [row.sample for _, row in rows(file)] == SAMPLES[:2]
    assert [row.sample for _, row in rows(tmp_path / "a")] == SAMPLES


def test_files_come_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    (row, *_) = made_rows(SAMPLES)
    for number in (10_000, 9_999, 1):
        write_record(tmp_path, [row], number=number)
    assert [int(file.stem.rpartition("-")[2]) for file in files(tmp_path)] == [1, 9_999, 10_000]


def test_a_torn_last_line_is_skipped_and_told(tmp_path: Path) -> None:
    file = write_record(tmp_path, made_rows(SAMPLES))
    file.write_bytes(file.read_bytes()[:-7])
    torn: list[Path] = []
    assert len(list(rows(tmp_path, torn=torn))) == 4
    assert torn == [file]


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    file = write_record(tmp_path, made_rows(SAMPLES))
    (*_, (place, line)) = lines(file)
    assert list(lines(file, place.offset)) == [(place, line)]
    assert not list(lines(file, place.offset + len(line)))


def test_other_files_are_no_record(tmp_path: Path) -> None:
    write_record(tmp_path, made_rows(SAMPLES))
    (tmp_path / "labels.jsonl").write_text("{}\n")
    (tmp_path / "default" / "notes.jsonl").write_text("{}\n")
    assert len(list(rows(tmp_path))) == 5


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoRecord, match="no such folder"):
        files(tmp_path / "none")
    assert files(tmp_path) == []
    file = write_record(tmp_path, made_rows(SAMPLES))
    with pytest.raises(NoRecord, match="has no run 'x'; it has default"):
        files(tmp_path, "x")
    file.write_bytes(file.read_bytes() + b"{}\n")
    with pytest.raises(BadLine, match=rf"{file}, byte \d+: not a line of a record"):
        list(rows(tmp_path))


def test_a_place_is_written_as_people_read_it() -> None:
    assert str(Place(Path("a.jsonl"), 17)) == "a.jsonl, byte 17"
