"""What a line says of noise, part by part where the reward is made of others.

Draws, and whether they flipped, stand in `parts`: `flip_draw`, `flipped`, and of the part `right` of a mix
`right/flip_draw`, `right/flipped`. What a draw was compared with stands in `noise`, and of parts in `part_noise`, under
their names. A route has no name of its own there: it pays by one reward, under that one's names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reward_server.rewards.found import Derivation, parts_of
from reward_server.rewards.plan import Plan
from reward_server.rewards.route import RouteReward
from reward_server.types import Noise

DRAW, FLIPPED = "flip_draw", "flipped"
Facts = dict[str, float | bool]
"""`threshold`: the rate that the draw was compared with. `exposed`: could noise flip the sample at all?"""


def noise_of(plan: Plan, derivation: Derivation) -> tuple[Facts | None, dict[str, Facts] | None]:
    """The fields `noise` and `part_noise` of a line."""
    noise = derivation.score.noise
    if noise is not None or not plan.parts:
        return None if noise is None else _told(noise), None
    found = {part: _told(noise) for part, noise in _noises(plan, derivation, "")}
    return found.pop("", None), found or None


def draws_in(parts: Mapping[str, float | None]) -> Iterator[str]:
    """The parts of a line that have a draw, by name; empty for the reward itself.

    >>> list(draws_in({"clean": 1.0, "right": 0.0, "right/flip_draw": 0.1, "my_flip_draw": 1.0}))
    ['right']
    """
    for name, draw in parts.items():
        if draw is not None and name.endswith(DRAW) and (name == DRAW or name[-len(DRAW) - 1] == "/"):
            yield name[: -len(DRAW) - 1]


def flipped_in(parts: Mapping[str, float | None]) -> list[str]:
    """Those of them that noise flipped.

    >>> flipped_in({"flipped": 1.0, "flip_draw": 0.1}), flipped_in({"right/flipped": 0.0, "right/flip_draw": 0.9})
    ([''], [])
    """
    return [part for part in draws_in(parts) if parts.get(behind(part, FLIPPED)) == 1]


def behind(part: str, name: str) -> str:
    """How a part's own part is called in a line."""
    return f"{part}/{name}" if part else name


def _noises(plan: Plan, derivation: Derivation, part: str) -> Iterator[tuple[str, Noise]]:
    if derivation.score.noise is not None:
        yield part, derivation.score.noise
    is_route = isinstance(plan.reward, RouteReward)
    for name, inner in parts_of(derivation).items():
        yield from _noises(plan.parts[name], inner, part if is_route else behind(part, name))


def _told(noise: Noise) -> Facts:
    return {"threshold": noise.threshold, "exposed": noise.exposed}
