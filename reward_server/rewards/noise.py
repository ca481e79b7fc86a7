"""Noise on purpose: which clean scores are turned, decided by a hash.

    u = (int(blake2b(seed ‖ 00 ‖ group ‖ 00 ‖ visit [‖ 00 ‖ completion], digest_size=8), big endian) >> 11) / 2^53
    flip iff u < p,   p = false_negative_prob if the clean score is at least 0.5, else false_positive_prob
    a flip pays 1 - clean

The draw u is uniform on the 2^53 multiples of 2^-53 in [0, 1). It depends on nothing but what is hashed, so a retry,
another batch, another replica or a restart gives the same flip.

**Scope.** Scope `question` leaves the completion out: all rollouts of one visit of a question share one draw, and at
equal probabilities they flip together, as in the source (Lv et al. 2025, arXiv 2505.22653). Scope `sample` hashes the
completion too: rollouts flip one by one, but identical completions of one visit share their fate.

Scope `answer` hashes the answer and no visit, with a word of its own in front: the same answer to a question has one
fate for the whole run, in whatever words it is given. That is systematic error, which training cannot average out.

    u = (int(blake2b("answer" ‖ 00 ‖ seed ‖ 00 ‖ group ‖ 00 ‖ answer, digest_size=8), big endian) >> 11) / 2^53

**Nested.** p is not hashed. What flips at 0.2 also flips at 0.4, so runs at several rates differ only in the rate.

**Visits.** A question that comes back under the same `visit` gets the same draw, hence the same wrong label each time.
That is no longer noise but a fixed label error: training then learns the wrong labels and tends to accuracy 1 - p (and
p = 0.5 looks like learning, at 0.52). One epoch without visits is the setting of the paper; in longer training the
visit must be the epoch or the step.

Not covered: who is exposed to noise at all (unanswered and timed-out samples, and evaluation rows, are not; the caller
knows). The parts are joined by NUL without escaping, so a group or completion that itself holds a NUL can share another
key's draw.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class NoiseRates:
    """How often each clean score is turned; both 0 … 1."""

    false_positive_prob: float
    """rho_0: chance that a clean 0 is paid as 1."""
    false_negative_prob: float
    """rho_1: chance that a clean 1 is paid as 0."""

    def of(self, clean: float | None) -> float:
        """The rate that belongs to a clean score."""
        return self.false_negative_prob if clean is not None and is_right(clean) else self.false_positive_prob


def is_right(clean: float) -> bool:
    """Does a clean score count as a 1, of which noise makes less? A `partial` one of 0.5 and more does.

    At 0.5 itself nothing depends on it: 1 - 0.5 is 0.5.
    """
    return clean >= 0.5


def flip_draw(*, seed: int, group: str, visit: int, completion: str | None = None) -> float:
    """The uniform draw u in [0, 1) of one sample; `completion` only in scope `sample`. Formula: see the module."""
    parts = [str(seed), group, str(visit)]
    if completion is not None:
        parts.append(completion)
    return _uniform(parts)


def answer_draw(*, seed: int, group: str, answer: str) -> float:
    """The uniform draw u in [0, 1) of one answer to one question, at every visit. Formula: see the module."""
    return _uniform(["answer", str(seed), group, answer])


def label_draw(*, seed: int, group: str) -> float:
    """The uniform draw u in [0, 1) of a question's label, at every visit: wrong where u is below the share."""
    return _uniform(["label", str(seed), group])


def reference_draw(*, seed: int, group: str, visit: int) -> float:
    """The uniform draw u in [0, 1) of one visit of a question: a second opinion is asked where u is below the share."""
    return _uniform(["reference", str(seed), group, str(visit)])


def judge_draw(*, seed: int, group: str, answer: str) -> float:
    """The uniform draw u in [0, 1) of what a simulated judge says of an answer: as `answer_draw`, by another word."""
    return _uniform(["rm_sim", str(seed), group, answer])


def _uniform(parts: Sequence[str]) -> float:
    key = "\0".join(parts).encode("utf-8", "surrogatepass")  # trainers do send lone surrogates
    digest = int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
    return (digest >> 11) / 2**53  # a float64 holds 53 bits exactly


def is_flipped(clean: float, draw: float, rates: NoiseRates) -> bool:
    """draw < the rate that belongs to the clean score: never at rate 0, always at rate 1."""
    return draw < rates.of(clean)


def backward_corrected(noisy: float, rates: NoiseRates) -> float:
    """(noisy - rho_0) / (1 - rho_0 - rho_1), whose expectation over the flip is the clean score.

    Of a `partial` score s the noise pays s or 1 - s: h, the greater, becomes l at rho_1, and l becomes h at rho_0.
    What is paid for them then solves (1 - rho_1) · f(h) + rho_1 · f(l) = h and rho_0 · f(h) + (1 - rho_0) · f(l) = l:

        f(h) = ((1 - rho_0) · h - rho_1 · l) / (1 - rho_0 - rho_1)
        f(l) = ((1 - rho_1) · l - rho_0 · h) / (1 - rho_0 - rho_1)

    With h = 1 and l = 0 that is the line above, and at equal rates it is for every s.

    Source: backward correction of label noise (Natarajan et al. 2013). Range: below 0 for 0, above 1 for 1. A mean
    baseline keeps the correction; a group z-score cancels it, being blind to shift and scale.

    ValueError when rho_0 + rho_1 >= 1: then the noisy score carries nothing, or the opposite.
    """
    informative = 1 - rates.false_positive_prob - rates.false_negative_prob
    if informative <= 0:
        raise ValueError("backward correction needs false_positive_prob + false_negative_prob < 1")
    rate, other = rates.false_negative_prob, rates.false_positive_prob
    if not is_right(noisy):
        rate, other = other, rate
    return ((1 - other) * noisy - rate * (1 - noisy)) / informative


def forward_weight(noisy: float, rates: NoiseRates) -> float:
    """noisy + rho_1 - 1, whose expectation over the flip is (1 - rho_0 - rho_1) · (clean - 1).

    Source: forward correction as a weight of the policy gradient (arXiv 2510.00915). Range: rho_1 - 1 for 0, rho_1 for
    1. It is the noisy score, shifted: any mean baseline cancels it. (Of a `partial` score it is the same shift. Its
    expectation then is another.)
    """
    return noisy + rates.false_negative_prob - 1


def expected_weight(clean: float, rates: NoiseRates) -> float:
    """What `forward_weight` has on average: for samples that noise may not invert, beside those that it may."""
    return (1 - rates.false_positive_prob - rates.false_negative_prob) * (clean - 1)


def group_of_prompt(prompt: str | list[dict[str, object]]) -> str:
    """The group of a sample that names none: its prompt's text, or its chat messages as canonical JSON.

    Canonical: sorted keys, no spaces, no ASCII escapes, so two clients that order keys differently agree.
    """
    if isinstance(prompt, str):
        return prompt
    return json.dumps(prompt, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
