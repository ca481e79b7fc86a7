"""The view *Calibration*: do a model's scores mean what they say? By bins of the score, from verdicts or labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl

from reward_server.view.batch import SCORE_BINS, bin_of
from reward_server.view.index import Index
from reward_server.view.listing import by_id, read

WIDTH, HEIGHT, LEFT, BOTTOM = 520, 300, 44, 268
"""Of the diagrams, in SVG units: its plot goes from LEFT to WIDTH - 12, and from 16 down to BOTTOM."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows whose score lies in it. `mean`: of their scores."""

    right: int
    wrong: int
    mean: float

    @property
    def rows(self) -> int:
        return self.right + self.wrong

    @property
    def share(self) -> float:
        """So many of them are right."""
        return self.right / self.rows


@dataclass(frozen=True, slots=True)
class Calibration:
    """`bins`: by place 0 … SCORE_BINS - 1, those with rows. `source`: where it is known what is right."""

    bins: dict[int, Bin]
    source: str

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.bins.values())

    @property
    def error(self) -> float | None:
        """Expected calibration error: how far a bin's share of right rows is from its mean score, by rows."""
        if not self.rows:
            return None
        return sum(abs(each.right - each.mean * each.rows) for each in self.bins.values()) / self.rows

    @property
    def points(self) -> list[tuple[float, float, float, Bin]]:
        """x, y and radius of each bin in the reliability diagram."""
        most = max((each.rows for each in self.bins.values()), default=1)
        return [(_x(each.mean), _y(each.share), 3 + 5 * (each.rows / most) ** 0.5, each) for each in self.bins.values()]

    @property
    def most(self) -> int:
        """Rows of the longest bar."""
        return max((max(each.right, each.wrong) for each in self.bins.values()), default=1) or 1

    @property
    def bars(self) -> list[tuple[str, float, float, float, float, int]]:
        """Class, x, y, width, height and rows of the two histograms, right above the middle and wrong below it."""
        most = self.most
        middle, room, width = (16 + BOTTOM) / 2, (BOTTOM - 16) / 2, (WIDTH - 12 - LEFT) / SCORE_BINS
        bars = []
        for place, each in self.bins.items():
            for kind, rows in (("right", each.right), ("wrong", each.wrong)):
                height = room * rows / most
                top = middle - height if kind == "right" else middle
                bars.append((kind, LEFT + width * place + 1, top, width - 2, height, rows))
        return bars


def of_verdicts(index: Index, run: int, configs: Iterable[int]) -> Calibration:
    """From the rows that have both a score and a verdict."""
    chosen = set(configs)
    found: dict[int, list[float]] = {}
    for config, place, is_right, rows, total in index.query(
        "SELECT config, bin, is_right, rows, total FROM scores WHERE run = ?", run
    ):
        if config in chosen:
            counts = found.setdefault(place, [0, 0, 0.0])
            counts[0 if is_right else 1] += rows
            counts[2] += total
    return Calibration(_bins(found), "a verdict")


def of_replay(index: Index, run: int, file: int, name: str) -> Calibration:
    """From the rows that a replay by the verifier has a verdict of."""
    found: dict[int, list[float]] = {}
    for place, is_right, rows, total in index.query(
        "SELECT bin, is_right, rows, total FROM replay_scores WHERE run = ? AND file = ?", run, file
    ):
        counts = found.setdefault(place, [0, 0, 0.0])
        counts[0 if is_right else 1] += rows
        counts[2] += total
    return Calibration(_bins(found), f"a verdict in {name}")


def of_labels(index: Index, run: str, labels: Mapping[str, bool]) -> Calibration:
    """From the rows of a run that a person judged. `labels`: by sample id, whether it is right."""
    found: dict[int, list[float]] = {}
    for id, is_right in labels.items():
        n = by_id(index, id)
        row = read(index, n) if n is not None else None
        score = row.parts.get("rm") if row is not None and row.run == run and "calibrated" in row.parts else None
        if score is not None:
            counts = found.setdefault(bin_of(score), [0, 0, 0.0])
            counts[0 if is_right else 1] += 1
            counts[2] += score
    return Calibration(_bins(found), "a label")


def newest_scored(index: Index, run: int) -> tuple[str, float | None]:
    """The query string and the threshold of the last configuration that a model's scores were paid under."""
    names = index.names("config")
    found = [
        names[config].split("\n") for (config,) in index.query("SELECT DISTINCT config FROM sums WHERE run = ?", run)
    ]
    for _, _, reward, query in reversed(found):
        given = dict(parse_qsl(query)).get("threshold", "0.5" if reward in ("rm", "rm_sim") else "")
        with suppress(ValueError):
            return query, float(given)
    return "", None


def at_score(score: float) -> float:
    """Its x in a diagram."""
    return _x(min(1.0, max(0.0, score)))


def _bins(found: dict[int, list[float]]) -> dict[int, Bin]:
    return {
        place: Bin(int(right), int(wrong), total / (right + wrong))
        for place, (right, wrong, total) in sorted(found.items())
    }


def _x(share: float) -> float:
    return round(LEFT + (WIDTH - 12 - LEFT) * share, 1)


def _y(share: float) -> float:
    return round(BOTTOM - (BOTTOM - 16) * share, 1)
