"""What a check tells whoever counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _ignore(*_seen: str) -> None:
    """For whoever does not count."""


@dataclass(frozen=True, slots=True)
class CheckEvents:
    """`on_lookup`: `hit`, `joined` or `miss`. `on_difference`: the name of a check that contradicted itself.

    `on_opinion`: the name of a grader or judge that was wanted as a second opinion, and what came of it.
    """

    on_lookup: Callable[[str], object] = _ignore
    on_difference: Callable[[str], object] = _ignore
    on_opinion: Callable[[str, str], object] = _ignore
