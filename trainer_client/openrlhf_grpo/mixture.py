"""Several data sets as one: how often each question is asked, so that the shares are those that were wanted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.rows import BadDataset, Source
from trainer_client.openrlhf_grpo.sources import source

SHARE = re.compile(r"(.+)=(\d+(?:\.\d+)?)")
EVALUATION = ("test", "validation")
"""Splits to evaluate with, where none is named."""


@dataclass(frozen=True)
class Part:
    """A data set of which every question is asked `passes` times, and `extra` of its `rows` questions once more."""

    source: Source
    passes: int
    extra: int = 0
    rows: int = 0

    @property
    def visits(self) -> int:
        """How often the questions that are asked most are asked."""
        return self.passes + bool(self.extra)

    def is_asked(self, row: int, visit: int) -> bool:
        """Whether question `row`, from 0, is asked on that visit: those asked once more are spread evenly."""
        return visit < self.passes or (row + 1) * self.extra // self.rows > row * self.extra // self.rows


def training(options: Options) -> list[Part]:
    """Every data set as often as there are epochs, or by shares. Raises BadDataset."""
    texts, shares = zip(*map(share, options.dataset), strict=True)
    sources = _named(source(text, size=options.size, seed=options.data_seed) for text in texts)
    if None in shares:
        return [Part(each, options.epochs) for each in sources]
    return shared(sources, shares, options.epochs)


def evaluation(options: Options) -> list[Part]:
    """Every question once. Raises BadDataset."""
    # reasoning-gym makes question i from seed + i, so these come after those of the training
    seed = options.data_seed + options.size
    sources = (source(text, size=options.eval_size, seed=seed, splits=EVALUATION) for text in options.eval_dataset)
    return [Part(each, 1) for each in _named(sources)]


def shared(sources: Sequence[Source], shares: Sequence[Fraction], epochs: int) -> list[Part]:
    """Parts whose rows stand in these proportions: no question is asked less than `epochs` times, and one data set is
    asked just as often.

    The rows of a run are N = epochs x max(n / share) over the data sets, each of n questions, and of every data set
    there are share x N, rounded up. OpenRLHF draws such a mixture at random; here nothing is drawn.
    """
    rows = [sum(1 for _ in each.read()) for each in sources]
    if not all(rows):
        raise BadDataset(f"{sources[rows.index(0)].name}: no questions in it")
    total = epochs * max(count / share for count, share in zip(rows, shares, strict=True))
    parts = []
    for each, count, share in zip(sources, rows, shares, strict=True):
        passes, extra = divmod(ceil(share * total), count)
        parts.append(Part(each, passes, extra, count))
    return parts


def share(text: str) -> tuple[str, Fraction | None]:
    """A data set and its share, if it has one.

    >>> share("math.jsonl=0.7"), share("org/name:test")
    (('math.jsonl', Fraction(7, 10)), ('org/name:test', None))
    """
    found = SHARE.fullmatch(text)
    return (found[1], Fraction(found[2])) if found else (text, None)


def problems(options: Options) -> Iterator[str]:
    """What is wrong with the shares, in words."""
    shares = [share(text)[1] for text in options.dataset]
    if None in shares and any(shares):
        yield "--dataset: give every data set a share (A=0.7 B=0.3), or none"
    if Fraction(0) in shares:
        yield "--dataset: a share of 0; leave that data set out"
    if any(share(text)[1] is not None for text in options.eval_dataset):
        yield "--eval-dataset has no shares: every question is asked once"


def _named(sources: Iterator[Source]) -> list[Source]:
    """OpenRLHF averages an evaluation by name, so no two data sets may have the same."""
    found = list(sources)
    counts = Counter(each.name for each in found)
    return [replace(it, name=f"{it.name}-{n}") if counts[it.name] > 1 else it for n, it in enumerate(found, start=1)]
