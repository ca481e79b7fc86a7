from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_record import made_rows
from msgspec.structs import replace as replaced

from reward_server.records.files import files, rows
from reward_server.records.text import encode
from reward_server.rewards.noise import flip_draw
from reward_server.types import Sample
from reward_server.view.curves import Curves, curves
from reward_server.view.facts import TAKEN, facts_of
from reward_server.view.filters import Filter, condition, configs
from reward_server.view.index import Index
from reward_server.view.store import NAME
from reward_server.view.sums import Field, bin_of, quantile

FAULT = 30


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the record, to write into."""
    copy = tmp_path / "record"
    shutil.copytree(made, copy, ignore=shutil.ignore_patterns(NAME))
    return copy


@pytest.fixture(scope="module")
def index(made: Path) -> Iterator[Index]:
    """The index of the record as it is."""
    index = Index(made)
    index.refresh()
    yield index
    index.close()


def of(index: Index, run: str) -> Curves:
    number = next(number for number, name in index.names("run").items() if name == run)
    return curves(index, number, configs(index, "flip"))


def dump(index: Index) -> list[object]:
    """All that it holds, but where lines stand and the state of reading."""
    tables = ("samples ORDER BY n", "sums", "answers", "agreed", "scores")
    return [index.query(f"SELECT * FROM {table}") for table in tables]


def test_a_flip_of_a_part_counts_as_a_flip_of_the_mix() -> None:
    query = "verifier=1&flip=0.5&gate=verifier&flip.flip_prob=1&flip.seed=17"
    sample = Sample("\\boxed{4}", ground_truths=("4",), group="q-1")
    facts = facts_of(*made_rows([sample], "mix", query))
    assert (facts.flipped, facts.threshold, facts.exposed, facts.signs & TAKEN) == (True, 1.0, True, TAKEN)
    assert facts.draw == flip_draw(seed=17, group="q-1", visit=0)
    several = facts_of(*made_rows([sample], "mix", f"{query}&mix=1&mix.flip=1&mix.flip.flip_prob=1"))
    assert several.flipped and several.draw is None


def mean(values: list[float | None]) -> float:
    there = [value for value in values if value is not None]
    return sum(there) / len(there)


def test_cut_off_completions_are_seen_as_unanswered_and_cut_off_while_the_noise_stays(index: Index) -> None:
    found = of(index, "cut")
    assert len(found.buckets) == 60
    unanswered, cut = found.outcomes()["unanswered"], found.mean(Field.CUT_OFF, Field.ROWS)
    assert unanswered[:FAULT] == [0.0] * FAULT
    assert cut == unanswered
    assert all(share is not None and share > 0.2 for share in unanswered[FAULT:])
    clean = found.mean(Field.CLEAN, Field.CLEAN_ROWS)
    assert mean(clean[FAULT : FAULT + 10]) < 0.75 * mean(clean[FAULT - 10 : FAULT])
    inside = [
        low <= flips <= high
        for flips, low, high in zip(found.mean(Field.FLIPPED, Field.EXPOSED), *found.expected_flips()[1:], strict=True)
        if flips is not None and low is not None and high is not None
    ]
    assert sum(inside) >= 0.9 * len(inside)
    assert found.rules == []


def test_a_notation_that_is_not_paid_is_seen_as_incorrect_at_the_same_length(index: Index) -> None:
    found = of(index, "notation")
    incorrect, clean = found.outcomes()["incorrect"], found.mean(Field.CLEAN, Field.CLEAN_ROWS)
    assert mean(incorrect[FAULT:]) > mean(incorrect[:FAULT]) + 0.15
    assert mean(clean[FAULT:]) < mean(clean[:FAULT]) - 0.15
    assert "unanswered" not in found.outcomes()
    length = found.length(0.5)
    assert mean(length[FAULT:]) == pytest.approx(mean(length[:FAULT]), rel=0.1)


def test_a_restart_with_another_rate_is_a_rule_at_its_step_and_clean_stays(index: Index) -> None:
    found = of(index, "restarted")
    assert [(rule.bucket, rule.text) for rule in found.rules] == [(FAULT, "?flip_prob=0.1&seed=17")]
    expected = found.expected_flips()[0]
    assert [round(share or 0, 9) for share in expected] == [0.4] * FAULT + [0.1] * FAULT
    clean = found.mean(Field.CLEAN, Field.CLEAN_ROWS)
    assert mean(clean[FAULT:]) > mean(clean[:FAULT])


def test_evaluation_rows_stand_apart(index: Index) -> None:
    found = of(index, "restarted")
    paid = found.mean(Field.PAID, Field.PAID_ROWS, evaluation=True)
    assert [step for step, value in enumerate(paid) if value is not None] == [0, 10, 20, 30, 40, 50]
    assert found.total[Field.ROWS] == 60 * 32


def test_rows_without_steps_are_cut_by_their_order_of_arrival(index: Index) -> None:
    found = of(index, "stale")
    assert not found.axis.has_steps
    assert found.axis.per == 64
    assert found.begins == [64 * bucket for bucket in range(30)]
    assert found.axis.units(3) == (-4, -4)
    assert list(found.train[:, Field.ROWS]) == [64.0] * 30


def test_a_resumed_run_and_one_of_many_steps_have_buckets_that_fit(folder: Path) -> None:
    (file,) = files(folder, "cut")
    kept = [row for _, row in rows(file)]
    for run, first, apart in (("resumed", 1_000_000, 1), ("long", 7, 40)):
        place = folder / run / file.name
        place.parent.mkdir()
        moved = (replaced(row, run=run, step=first + apart * (row.step or 0)) for row in kept)
        place.write_bytes(b"".join(map(encode, moved)))
    index = Index(folder)
    index.refresh()
    assert of(index, "resumed").begins == list(range(1_000_000, 1_000_060))
    assert of(index, "long").begins == list(range(7, 7 + 60 * 40, 40))
    index.close()


def test_the_band_of_the_flips_takes_a_questions_rollouts_for_one_draw(index: Index) -> None:
    total = of(index, "cut").train[0]
    assert (total[Field.DRAWS], total[Field.EXPOSED]) == (8, 32)
    assert total[Field.VARIANCE] == pytest.approx(8 * 4**2 * 0.4 * 0.6)  # 8 draws, each for 4 rows


def test_the_presets_list_right_answers_in_a_refused_notation_first(index: Index) -> None:
    shown: set[tuple[int, ...]] = set()
    for preset in ("in-text", "agreed"):
        found = condition(index, Filter(run="notation", preset=preset), None)
        sql = f"SELECT n, suspect FROM {found.tables} WHERE {found.where} ORDER BY {found.rank}, n LIMIT 50"
        shown |= set(index.query(sql, *found.values))
    assert sum(suspect == 3 for _, suspect in shown) >= 50


def test_an_index_that_grew_is_the_same_as_one_made_at_once(folder: Path, tmp_path: Path) -> None:
    parts = {file: file.read_bytes() for file in files(folder)}
    for file, whole in parts.items():
        file.write_bytes(whole[: len(whole) // 2])
    index = Index(folder)
    index.refresh()
    half = index.query("SELECT count(*) FROM samples")
    assert len(index.torn) == len(parts)
    index.close()
    for file, whole in parts.items():
        with file.open("ab") as sink:
            sink.write(whole[len(whole) // 2 :])
    again = Index(folder)
    again.refresh()
    assert (again.torn, again.skipped()) == ([], 0)
    shutil.copytree(folder, tmp_path / "other", ignore=shutil.ignore_patterns(NAME))
    other = Index(tmp_path / "other")
    other.refresh()
    assert half < again.query("SELECT count(*) FROM samples") == other.query("SELECT count(*) FROM samples")
    for run in ("cut", "notation", "restarted"):
        (one, two) = of(again, run), of(other, run)
        assert one.train == pytest.approx(two.train)
        assert one.evaluation == pytest.approx(two.evaluation)
    again.close()
    other.close()


def test_a_torn_line_waits_for_its_end_and_a_line_that_is_no_row_is_counted(folder: Path) -> None:
    file = files(folder, "cut")[0]
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    index = Index(folder)
    index.refresh()
    ((before,),) = index.query("SELECT count(*) FROM samples")
    assert index.torn == [file]
    file.write_bytes(whole + b'{"not": "a row"}\nnor this\n')
    index.refresh()
    assert index.query("SELECT count(*) FROM samples") == [(before + 1,)]
    assert (index.torn, index.skipped()) == ([], 2)
    index.close()


def test_two_replicas_are_merged_by_time(folder: Path) -> None:
    one = files(folder, "stale")[0]
    lines = one.read_bytes().splitlines(keepends=True)
    one.write_bytes(b"".join(lines[::2]))
    one.with_name("2026-11-18T08-other-7-0001.jsonl").write_bytes(b"".join(lines[1::2]))
    index = Index(folder)
    index.refresh()
    times = index.query("SELECT time FROM samples JOIN names ON name = run WHERE text = 'stale' ORDER BY n")
    assert times == sorted(times)
    assert len(times) == len(lines)
    index.close()


def test_a_file_that_was_replaced_is_read_anew_and_one_that_is_gone_leaves_its_numbers(folder: Path) -> None:
    index = Index(folder)
    index.refresh()
    (file,) = files(folder, "cut")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:100]))
    index.refresh()
    assert of(index, "cut").total[Field.ROWS] + of(index, "cut").evaluation[:, 0].sum() == 100
    file.unlink()
    index.refresh()
    assert of(index, "cut").total[Field.ROWS] > 0
    index.close()


def test_a_copy_that_goes_on_where_the_old_one_ended_is_not_read_again(folder: Path) -> None:
    (file,) = files(folder, "cut")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 3])
    index = Index(folder)
    index.refresh()
    ((last,),) = index.query("SELECT max(n) FROM samples")
    copy = file.with_name("copy")
    copy.write_bytes(whole)
    copy.replace(file)
    told: list[int] = []
    index.refresh(told.append)
    ((now,),) = index.query("SELECT max(n) FROM samples")
    assert sum(told) == now - last
    assert of(index, "cut").total[Field.ROWS] == 60 * 32
    index.close()


def test_the_index_may_be_deleted_or_be_nonsense_or_in_use(folder: Path) -> None:
    (folder / NAME).write_bytes(b"no database at all, whatever it is" * 100)
    index = Index(folder)
    index.refresh()
    assert index.path == folder / NAME
    second = Index(folder)
    second.refresh()
    assert second.path.parent != folder
    assert dump(second) == dump(index)
    second.close()
    assert not second.path.exists()
    index.close()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_quantiles_of_lengths_are_right_to_within_a_bin(share: float) -> None:
    import numpy as np

    lengths = [int(3.7 * place**1.7) for place in range(1, 2000)]
    histogram = np.zeros(120)
    for length in lengths:
        histogram[bin_of(length)] += 1
    assert quantile(histogram, share) == pytest.approx(np.quantile(lengths, share), rel=0.1)
