"""`route`: a data set of several kinds of questions, each with the reward that belongs to its source.

    reward = the reward of the route that the sample's source names

A source that no route names, or none at all: `ungradable`, no reward. Every sample has the parts of all routes; those
that are not its own are null. Range, rounding and evaluation rows are those of the routes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import PrivateAttr

from reward_server.errors import shortened
from reward_server.rewards.composite import Composite, components_of, scores_of
from reward_server.rewards.found import Found
from reward_server.types import JoinedScore, Outcome, Sample, Score

SHOWN_SOURCES = 20
"""So many of the known ones stand in a sentence."""


class RouteReward(Composite):
    """The reward that belongs to the sample's source (`SOURCE=REWARD`, `SOURCE.PARAMETER=VALUE`)."""

    _rewards: dict[str, str] = PrivateAttr(default_factory=dict)
    _first: dict[str, str] = PrivateAttr(default_factory=dict)
    _parts: tuple[str, ...] = PrivateAttr(default=())
    _components: tuple[str, ...] = PrivateAttr(default=())

    def of(self, plans: Mapping[str, tuple[str, str]], blanks: Mapping[str, Score]) -> Self:
        """The same with its routes: name and digest of the reward that each source has, and a sample's score of it,
        whose keys count."""
        rewards = {source: name for source, (name, _) in plans.items()}
        first: dict[tuple[str, str], str] = {}
        self._first = {source: first.setdefault(plan, source) for source, plan in plans.items()}
        self._rewards = rewards
        self._parts = tuple(dict.fromkeys(name for score in blanks.values() for name in score.parts))
        if any(getattr(score, "components", {}) for score in blanks.values()):
            found = (components_of(rewards[source], score) for source, score in blanks.items())
            self._components = tuple(dict.fromkeys(name for each in found for name in each))
        return self

    @property
    def rewards(self) -> Mapping[str, str]:
        """Which reward each source has."""
        return self._rewards

    def made_of(self) -> Mapping[str, object]:
        """Source and reward."""
        return self._rewards

    def rows(self, samples: Sequence[Sample]) -> dict[str, list[int]]:
        """Those of each source, together where sources have the same reward; none of a source that no route names."""
        rows: dict[str, list[int]] = {}
        first = self._first
        for row, sample in enumerate(samples):
            if sample.source is not None and (source := first.get(sample.source)) is not None:
                rows.setdefault(source, []).append(row)
        return rows

    def name_of(self, part: str, sample: Sample) -> str:
        """The sample's own source."""
        return part if sample.source is None else sample.source

    def settle(self, sample: Sample, found: Found) -> JoinedScore:
        """What the source's reward pays."""
        parts: dict[str, float | None] = dict.fromkeys(self._parts)
        components: dict[str, float | None] = dict.fromkeys(self._components)
        for source, score in scores_of(found).items():
            if self._components:
                components |= components_of(self._rewards[source], score)
            return JoinedScore(
                score.outcome,
                score.reward,
                score.shown,
                parts | score.parts,
                unrounded=score.unrounded,
                components=components,
                reason=getattr(score, "reason", ""),
            )
        reason = self.unknown(sample.source)
        return JoinedScore(Outcome.UNGRADABLE, None, None, parts, components=components, reason=reason)

    def unknown(self, source: str | None) -> str:
        """What is said of a source that no route names."""
        known = ", ".join(list(self._rewards)[:SHOWN_SOURCES]) + ", …" * (len(self._rewards) > SHOWN_SOURCES)
        if source is None:
            return f"it has no source (`sources`, or `source` in the label), which the route goes by; known: {known}"
        return f"no route is for the source {shortened(source, 100)!r}; known: {known}"
