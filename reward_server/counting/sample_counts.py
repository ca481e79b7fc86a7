"""What is counted of samples, and the series of one (reward, config, rows).

`config` is the digest of what can change a reward, as in every reply: two runs under one config are one here. `rows`:
`train`, or `eval` for rows that say `flip: false`.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from itertools import product

from prometheus_client import CollectorRegistry

from reward_server.grading.reading import is_cut_off
from reward_server.kit.counters import Count, Counter, Histogram
from reward_server.rewards.found import Derivation, leaves_of
from reward_server.rewards.reasoning import Rpr
from reward_server.types import Noise, Outcome, Sample

LABELS = ("reward", "config", "rows")
REWARD_VALUES = (-1, -0.5, 0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1, 1.5, 2)
RPR_VALUES = (0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
CHARS = (0, 16, 64, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072)


class Families:
    """The metrics themselves; `Counts` are their series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, documentation: str, *more: str) -> Counter:
            return Counter(name, documentation, [*LABELS, *more], registry=registry)

        def histogram(name: str, documentation: str, buckets: Sequence[float]) -> Histogram:
            return Histogram(name, documentation, LABELS, buckets=buckets, registry=registry)

        self.samples = counter("reward_samples", "Samples scored.", "outcome")
        self.values = histogram("reward_value", "Rewards paid.", REWARD_VALUES)
        self.paid = counter(
            "reward_paid", "Sum of the rewards paid; negative ones apart, so that both only grow.", "sign"
        )
        self.chars = histogram("reward_completion_chars", "Characters of the policy's own turn.", CHARS)
        self.cut_off = counter(
            "reward_cut_off",
            "Samples that look cut off: no answer, no end-of-turn token, and no end of a sentence or bracket.",
        )
        self.exposed = counter("reward_flip_exposed", "Samples that noise could flip.")
        self.flips = counter("reward_flips", "Samples that noise flipped.")
        self.expected_flips = counter(
            "reward_flips_expected", "Flips that the rates promise: their sum over what was exposed."
        )
        self.draws = counter(
            "reward_noise_draws",
            "Draws of the noise, each once a request: in scope question one a question and visit. Of requests with"
            " more than one sample; one-sample requests cannot be counted so.",
        )
        self.flipped_draws = counter(
            "reward_noise_flipped_draws", "Draws that flipped; one under two rates by the share of its samples."
        )
        self.expected_draws = counter("reward_noise_flipped_draws_expected", "Draws that the rates promise to flip.")
        self.rprs = histogram("reward_rpr", "RPR of the completions.", RPR_VALUES)
        self.calibrated = counter("reward_model_calibrated", "Samples whose score RPR raised.")
        self.confusion = counter(
            "reward_confusion",
            "What was paid (1, 0: after noise, before RPR) and what the second opinion says (1, 0, or none where it"
            " failed), one a question in a request.",
            *("paid", "reference"),
        )
        self.all = (
            self.confusion,
            *(self.samples, self.values, self.paid, self.chars, self.cut_off, self.rprs, self.calibrated),
            *(self.exposed, self.flips, self.expected_flips),
            *(self.draws, self.flipped_draws, self.expected_draws),
        )


class Counts:
    """The series of one (reward, config, rows); those of noise, RPR and the model begin with the first of a kind."""

    def __init__(self, families: Families, *labels: str) -> None:
        self._families, self._labels = families, labels
        self.values = families.values.labels(*labels)
        self.plus = families.paid.labels(*labels, "plus")
        self.minus = families.paid.labels(*labels, "minus")
        self.outcomes = {outcome: families.samples.labels(*labels, outcome) for outcome in Outcome}
        self.chars = families.chars.labels(*labels)
        self.cut_off = families.cut_off.labels(*labels)
        self._noise: NoiseCounts | None = None
        self._opinions: dict[tuple[bool, bool | None], Count] = {}

    def count(self, samples: Sequence[Sample], derivations: Sequence[Derivation], *, is_batch: bool) -> None:
        """Counts samples, (N,), at least one. `is_batch`: their request holds more than one."""
        if len(samples) == 1:
            self._count_one(samples[0], derivations[0])
        else:
            self._count_many(samples, derivations)
        leaves = leaves_of(derivations)
        noises, rprs, by_model = _exposed_reasoned_and_modelled(leaves)
        if noises:
            self._noise = self._noise or NoiseCounts(self._families, self._labels)
            self._noise.count(noises, is_batch=is_batch)
        if rprs:
            if leaves is not derivations:
                rprs = list({id(rpr): rpr for rpr in rprs}.values())  # once, however many parts share it
            self._families.rprs.labels(*self._labels).observe_all([rpr.value for rpr in rprs])
        if by_model:
            raised = sum([parts["calibrated"] != parts["rm"] for parts in by_model])
            self._families.calibrated.labels(*self._labels).inc(raised)

    def _count_one(self, sample: Sample, derivation: Derivation) -> None:
        """As `_count_many`, in half of the time: one sample a request is the common case."""
        score, reading = derivation.score, derivation.found.reading
        self.outcomes[score.outcome].inc()
        if (value := score.reward) is not None:
            self.values.observe(value)
            (self.minus if value < 0 else self.plus).inc(abs(value))
        if not sample.is_lost:  # of a completion that is lost nothing is known
            self.chars.observe(len(reading.text))
            if is_cut_off(sample.completion, reading):
                self.cut_off.inc()

    def count_opinions(self, opinions: Sequence[tuple[bool, bool | None]]) -> None:
        """Counts what was paid beside what the second opinion says, of a reward that asks one."""
        if not self._opinions:
            both = product((True, False), (True, False, None))
            self._opinions = {each: self._families.confusion.labels(*self._labels, *_words(*each)) for each in both}
        for opinion, number in Tally(opinions).items():
            self._opinions[opinion].inc(number)

    def _count_many(self, samples: Sequence[Sample], derivations: Sequence[Derivation]) -> None:
        scores = [derivation.score for derivation in derivations]
        for outcome, number in Tally([score.outcome for score in scores]).items():
            self.outcomes[outcome].inc(number)
        paid = [score.reward for score in scores if score.reward is not None]
        self.values.observe_all(paid)
        self.plus.inc(sum([value for value in paid if value > 0]))
        self.minus.inc(-sum([value for value in paid if value < 0]))
        pairs = zip(samples, derivations, strict=True)
        read = [(sample.completion, each.found.reading) for sample, each in pairs if not sample.is_lost]
        self.chars.observe_all([len(reading.text) for _, reading in read])
        self.cut_off.inc(sum([is_cut_off(*row) for row in read]))


class NoiseCounts:
    """The series of what was drawn for one (reward, config, rows)."""

    def __init__(self, families: Families, labels: Sequence[str]) -> None:
        self.exposed = families.exposed.labels(*labels)
        self.flips = families.flips.labels(*labels)
        self.expected_flips = families.expected_flips.labels(*labels)
        self.draws = families.draws.labels(*labels)
        self.flipped_draws = families.flipped_draws.labels(*labels)
        self.expected_draws = families.expected_draws.labels(*labels)

    def count(self, exposed: Sequence[Noise], *, is_batch: bool) -> None:
        """Counts samples that noise could flip, and in a batch what was drawn for them."""
        self.exposed.inc(len(exposed))
        self.flips.inc(sum([noise.flipped for noise in exposed]))
        self.expected_flips.inc(sum([noise.threshold for noise in exposed]))
        if is_batch:
            self._count_draws(exposed)

    def _count_draws(self, exposed: Sequence[Noise]) -> None:
        """A draw is a number of 53 bits: those that are equal come from one key, whatever the scope."""
        by_draw: dict[float, list[Noise]] = {}
        for noise in exposed:
            by_draw.setdefault(noise.draw, []).append(noise)
        self.draws.inc(len(by_draw))
        self.flipped_draws.inc(sum([_mean([noise.flipped for noise in one]) for one in by_draw.values()]))
        self.expected_draws.inc(sum([_mean([noise.threshold for noise in one]) for one in by_draw.values()]))


def _exposed_reasoned_and_modelled(
    leaves: Sequence[Derivation],
) -> tuple[list[Noise], list[Rpr], list[dict[str, float | None]]]:
    """The noise of those that it could flip, RPR where there is one, and the parts of those that a model scored."""
    noises, rprs, by_model = [], [], []
    for each in leaves:
        score, rpr = each.score, each.found.rpr
        if score.noise is not None and score.noise.exposed:
            noises.append(score.noise)
        if rpr is not None:
            rprs.append(rpr)
        if "model_score" in score.parts:
            by_model.append(score.parts)
    return noises, rprs, by_model


def _words(paid: bool, opinion: bool | None) -> tuple[str, str]:
    """Labels: what was paid, and what the second opinion says."""
    return str(int(paid)), "none" if opinion is None else str(int(opinion))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
