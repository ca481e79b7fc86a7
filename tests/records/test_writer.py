"""Files are rotated, bounded, private, and hold whole lines whatever the disk says."""

from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reward_server.records.files import files
from reward_server.records.writer import MAX_OPEN, Writer

LINE = b"x" * 99 + b"\n"


def total(folder: Path) -> int:
    return sum(file.stat().st_size for file in files(folder))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process can grow past `size` bytes: as on a full disk, a part of a write succeeds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_files_and_folders_are_their_owners_alone(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "record", 10**9)
    assert writer.write("a", LINE).lines == 1
    (file,) = files(tmp_path / "record")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (file.parent, file.parent.parent)} == {0o700}
    writer.close()


def test_a_full_file_is_followed_by_the_next(tmp_path: Path) -> None:
    writer = Writer(tmp_path, 4 * 1000)
    for _ in range(7):
        writer.write("a", LINE * 3)
    writer.close()
    sizes = [file.stat().st_size for file in files(tmp_path)]
    assert sizes == [900, 900, 300]


def test_the_oldest_files_go_first_and_the_limit_holds(tmp_path: Path) -> None:
    writer = Writer(tmp_path, 4 * 1000)
    for number in range(200):
        assert writer.write(f"run-{number // 40}", b"%099d\n" % number).error is None
        assert total(tmp_path) <= 4000
    writer.close()
    kept = [int(line) for file in files(tmp_path) for line in file.read_bytes().splitlines()]
    assert kept == list(range(200 - len(kept), 200)) and len(kept) > 20
    assert not (tmp_path / "run-0").exists()


def test_a_file_that_another_process_writes_is_never_deleted(tmp_path: Path) -> None:
    other = Writer(tmp_path, 10**9)  # a lock belongs to the open file: within one process it is the same
    other.write("other", LINE)
    writer = Writer(tmp_path, 4 * 1000)
    for _ in range(100):
        writer.write("a", LINE)
    assert other.write("other", LINE).error is None
    assert files(tmp_path, "other")[0].read_bytes() == LINE * 2
    other.close()
    for _ in range(100):
        writer.write("a", LINE)
    assert {file.parent.name for file in files(tmp_path)} == {"a"}
    writer.close()


def test_files_that_are_no_record_are_never_deleted(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    others = [tmp_path / "labels.jsonl", tmp_path / "a" / "notes.jsonl"]
    for other in others:
        other.write_bytes(LINE * 100)
    writer = Writer(tmp_path, 4 * 1000)
    for _ in range(100):
        writer.write("a", LINE)
    writer.close()
    assert all(other.stat().st_size == 10_000 for other in others)


def test_many_runs_have_few_open_files_and_stay_within_the_limit(tmp_path: Path) -> None:
    writer = Writer(tmp_path, 20_000)
    for number in range(3 * MAX_OPEN):
        for line in range(2):
            assert writer.write(f"run-{number}", b"%099d\n" % line).lines == 1
    assert len(list(Path("/proc/self/fd").iterdir())) < MAX_OPEN + 40
    for number in range(600):
        writer.write(f"run-{number % 7}", LINE)
        assert total(tmp_path) <= 20_000
    writer.close()


def test_a_full_disk_leaves_no_half_a_line(tmp_path: Path) -> None:
    writer = Writer(tmp_path, 10**9)
    with largest_file(250):
        written = writer.write("a", LINE * 4)
        assert (written.lines, written.bytes) == (2, 200) and written.error is not None
        again = writer.write("a", b"y" * 300 + b"\n")
        assert (again.lines, again.bytes) == (0, 0) and again.error is not None
    assert writer.write("a", LINE * 2).lines == 2
    writer.close()
    assert b"".join(file.read_bytes() for file in files(tmp_path)) == LINE * 4


def test_a_file_that_somebody_deleted_is_followed_by_another(tmp_path: Path) -> None:
    writer = Writer(tmp_path, 10**9)
    writer.write("a", LINE)
    (first,) = files(tmp_path)
    first.unlink()
    first.parent.rmdir()
    assert writer.write("a", LINE).lines == 1
    (second,) = files(tmp_path)
    assert second != first and second.read_bytes() == LINE
    writer.close()


def test_a_run_whose_folder_cannot_be_made_is_an_error_and_the_next_run_is_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    writer = Writer(tmp_path, 10**9)
    assert isinstance(writer.write("a", LINE).error, OSError)
    assert writer.write("b", LINE).lines == 1
    writer.close()
