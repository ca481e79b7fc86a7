"""Which samples of a run are shown: a GET form, so that a link says it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from urllib.parse import urlencode

from reward_server.records.row import text_digest
from reward_server.view.curves import Axis
from reward_server.view.facts import number
from reward_server.view.index import Index
from reward_server.view.presets import PRESETS, Preset

PAID = {"1": "paid = 1", "0": "paid = 0", "other": "paid NOT IN (0, 1)", "none": "paid IS NULL"}
FLIPPED = {"yes": "flipped = 1", "no": "flipped = 0"}
ROWS = {"train": "train = 1", "eval": "train = 0"}
MOST_DIGITS = 9
EVERY = Preset("", "", "1")


@dataclass(frozen=True, slots=True)
class Filter:
    """The fields of the form, empty where nothing is asked."""

    run: str = ""
    preset: str = ""
    bucket: str = ""
    per: str = ""
    reward: str = ""
    outcome: str = ""
    tier: str = ""
    paid: str = ""
    flipped: str = ""
    rows: str = ""
    group: str = ""
    config: str = ""
    text: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filter:
        """What a query string says; other keys are passed over."""
        return cls(**{each.name: query.get(each.name, "").strip("\0") for each in fields(cls)})

    def query(self, **changes: object) -> str:
        """The query string of these fields, some of them changed, and of others that are no fields."""
        own = {each.name: getattr(self, each.name) for each in fields(self)} | changes
        given = {name: value for name, value in own.items() if value not in ("", None)}
        return urlencode(given, errors="surrogatepass")

    def but(self, **changes: str) -> Filter:
        return replace(self, **changes)

    @property
    def order(self) -> Preset:
        return PRESETS.get(self.preset, EVERY)

    @property
    def asked(self) -> int:
        """How many fields of the form are set."""
        return sum(
            bool(getattr(self, name)) for name in ("outcome", "tier", "paid", "flipped", "rows", "group", "config")
        )


def whole(text: str, default: int = 0) -> int:
    """A number of a query string that is neither negative nor too large for the index."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else default


@dataclass(frozen=True, slots=True)
class Condition:
    """Of a filter, in SQL."""

    tables: str
    where: str
    values: tuple[object, ...]
    rank: str


def condition(index: Index, filter: Filter, axis: Axis | None) -> Condition:
    """`axis`: how the run is cut into buckets, where one is asked for."""
    preset = filter.order
    terms: list[tuple[str, tuple[object, ...]]] = [(preset.where, ())]
    terms += [(f"{column} IN ({','.join('?' * len(found))})", tuple(found)) for column, found in _named(index, filter)]
    for value, meanings in ((filter.paid, PAID), (filter.flipped, FLIPPED), (filter.rows, ROWS)):
        terms += [(meanings[value], ())] if value in meanings else []
    if filter.bucket and axis is not None:
        terms.append(("unit BETWEEN ? AND ?", axis.units(whole(filter.bucket))))
    where = " AND ".join(term for term, _ in terms)
    values = tuple(value for _, given in terms for value in given)
    return Condition(f"samples {preset.join}", where, values, preset.rank)


def _named(index: Index, filter: Filter) -> list[tuple[str, list[int]]]:
    """Columns with the numbers that their texts stand for."""
    found = [("run", [number for number, text in index.names("run").items() if text == filter.run])]
    for column, kind, wanted in (("outcome", "outcome", filter.outcome), ("tier", "tier", filter.tier)):
        if wanted:
            found.append((column, [number for number, text in index.names(kind).items() if text == wanted]))
    if filter.group:
        found.append(("question", [number(filter.group), number(text_digest(filter.group))]))
    if filter.config or filter.reward:
        found.append(("config", configs(index, filter.reward, filter.config)))
    return found


def configs(index: Index, reward: str = "", digest: str = "") -> list[int]:
    """The numbers of all configurations of a reward, or whose digest begins so."""
    told = {number: text.split("\n") for number, text in index.names("config").items()}
    return [number for number, (found, _, name, _) in told.items() if found.startswith(digest) and reward in ("", name)]
