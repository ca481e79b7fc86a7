"""An audit in one sentence a configuration, and as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import starmap
from typing import Any

from rich.console import Console
from rich.table import Table

Found = dict[str, Any]
WIDTH = 110
WIDE = 160
MAX_RUNS = 5
"""So many are named in a sentence."""
RATES = {
    "all": "all draws",
    "false_positive_prob": "a clean 0 paid as 1 (ρ0)",
    "false_negative_prob": "a clean 1 paid as 0 (ρ1)",
    "wrong_labels": "questions with a wrong label",
}


def verdict(told: Found) -> str:
    """One or two sentences for each configuration."""
    several = len(told["noise"]) > 1
    return "\n".join((f"{_name(each)}: " if several else "") + sentence(each) for each in told["noise"])


def sentence(each: Found) -> str:
    """Of one configuration."""
    rates = each["rates"]
    names = ("all", "wrong_labels") if rates["all"] else ("false_positive_prob", "false_negative_prob", "wrong_labels")
    counted = {name: rates[name] for name in names if rates[name]}
    amount = "; ".join(starmap(_share, counted.items())) or "no draw could turn a score"
    if each["is_off"]:
        return f"{amount}: OFF, {_why(each)}. {fresh(each['freshness'])}"
    return f"{amount}{_as_set([*counted.values()])}. {fresh(each['freshness'])}"


def _as_set(rates: list[Found]) -> str:
    """What is said where nothing speaks against what was set: is it that, or are there too few draws to tell?"""
    known = [rate for rate in rates if rate["set"] is not None]
    if not known:
        return ": what was set is not known" if rates else ""
    few = [rate for rate in known if not rate["is_enough"]]
    if not few:
        return ": as set"
    told = (
        f"{rate['draws']:,} draws; with {rate['draws_needed']:,} one could see a difference of {rate['difference']:.3g}"
        f" from the {rate['set']:.3g} that was set"
        for rate in few
    )
    return f": too few to tell whether it is as set ({'; '.join(told)})"


def _share(name: str, rate: Found) -> str:
    of = {"all": "draws flipped", "wrong_labels": "questions have a wrong label"}
    what = of.get(name, f"draws of a clean {int(name == 'false_negative_prob')} flipped")
    return f"{rate['share']:.3f} of {rate['draws']:,} {what} ({rate['low']:.3f} … {rate['high']:.3f})"


def _why(each: Found) -> str:
    reasons = []
    for name, rate in each["rates"].items():
        is_doubled = each["rates"]["all"] and name.startswith("false_")
        if rate and rate["set"] is not None and not is_doubled and not rate["low"] <= rate["set"] <= rate["high"]:
            reasons.append(f"{rate['set']:.3g} was set" + ("" if name == "all" else f" for {RATES[name]}"))
    if each["contradicted"]:
        reasons.append(f"{each['contradicted']:,} rows are not paid what their draw says")
    if each["foreign"]:
        reasons.append(f"{each['foreign']:,} draws are not those of their question and visit")
    if each["torn"]:
        reasons.append(f"in {each['torn']:,} draws samples do not share their fate")
    return ", ".join(reasons) or f"the draws are not uniform (chance {each['uniform']['chance']:.2g})"


def fresh(found: Found | None) -> str:
    """Of one configuration: did questions that came back meet new noise?"""
    if found is None:
        return "Noise of scope `answer` belongs to the answer: no visit renews it"
    if not found["returned"]:
        if not found["visits"]:
            return (
                "No visit was ever sent: no question came back, so its noise is fresh so far. One that comes back meets"
                " its old draw, which is a wrong label, not noise"
            )
        return "No question came back, so its noise is fresh"
    if found["is_stale"]:
        stale = found.get("stale") or found
        where = f" in {_named(stale['runs'])}" if len(found["runs"]) > 1 else ""
        return (
            f"Not fresh: {stale['old'] / stale['returned']:.0%} of the {stale['returned']:,} questions that came back"
            f"{where} had an old visit: their noise is a wrong label, not noise ({_visits(stale)})"
        )
    return f"Fresh: {found['returned']:,} questions came back, with new visits"


def _visits(fresh: Found) -> str:
    if not fresh["visits"]:
        return "no visit was ever sent"
    if fresh["visits"] == 1:
        return f"every row has the visit {fresh['first_visit']}"
    return f"{fresh['visits']:,} different visits were sent, {fresh['first_visit']:,} … {fresh['last_visit']:,}"


def _named(runs: Sequence[str]) -> str:
    shown = ", ".join(runs[:MAX_RUNS])
    return f"{shown} and {len(runs) - MAX_RUNS} more runs" if len(runs) > MAX_RUNS else shown


def tables(told: Found) -> str:
    """The numbers behind the sentences."""
    console = Console(width=WIDTH)
    with console.capture() as printed:
        for each in told["noise"]:
            console.print(_table(each))
            for line in _lines(each):
                console.print(line, soft_wrap=True, markup=False, highlight=False)
    return printed.get()


def label_tables(told: Found) -> str:
    """How often the verifier is wrong."""
    console = Console(width=WIDE)
    with console.capture() as printed:
        strata = {"all": told["overall"], **{f"tier {name}": each for name, each in told["tiers"].items()}}
        strata |= {f"part {n} of {len(told['windows'])}": each for n, each in enumerate(told["windows"], 1)}
        title = (
            f"the verifier, by {told['used']:,} labels of {told['rows']:,} rows (one a visit of a question;"
            f" {told['labelled']:,} fit, {told['undecided']:,} cannot say)"
        )
        table = Table("", title=title, title_justify="left")
        for name in ("labels", "precision", "ρ0", "ρ1", "J", "true accuracy"):
            table.add_column(name, justify="right")
        for name, each in strata.items():
            table.add_row(name, *_stratum(each))
        console.print(table)
        if told["overall"]["too_few"]:
            console.print(told["overall"]["too_few"], soft_wrap=True, markup=False, highlight=False)
        if told["query"]:
            console.print(f"noise as large as these errors: {told['query']}", soft_wrap=True, highlight=False)
    return printed.get()


def _stratum(each: Found) -> Iterator[str]:
    counts, rates = each["counts"], each["rates"]
    yield f"{counts['audited_ones'] + counts['audited_zeros']:,}"
    for name in ("precision", "false_positive_prob", "false_negative_prob", "informativeness", "accuracy"):
        rate = None if rates is None else rates[name]
        yield "-" if rate is None else f"{rate['value']:.3f} ({rate['low']:.2f} … {rate['high']:.2f})"


def _table(each: Found) -> Table:
    title = f"{_name(each)}, config {each['config'] or '?'}, {each['samples']:,} samples that noise could turn"
    table = Table("", title=title, title_justify="left")
    for name in ("draws", "flipped", "share", "95 %", "set", "chance"):
        table.add_column(name, justify="right")
    for name, rate in each["rates"].items():
        if rate:
            numbers = f"{rate['draws']:,}", f"{rate['flipped']:,}", f"{rate['share']:.4f}"
            was_set = "?" if rate["set"] is None else f"{rate['set']:.4g}"
            interval = f"{rate['low']:.4f} … {rate['high']:.4f}"
            table.add_row(RATES[name], *numbers, interval, was_set, _chance(rate["chance"]))
    drawn = each["uniform"]
    far, chance = f"D = {drawn['distance']:.4f}", _chance(drawn["chance"])
    table.add_row("uniform on 0 … 1", f"{drawn['draws']:,}", "", "", far, "", chance)
    return table


def _lines(each: Found) -> Iterator[str]:
    fresh = each["freshness"]
    if fresh is not None:
        sent = f"{fresh['visits']:,}, from {fresh['first_visit']:,} to {fresh['last_visit']:,}"
        yield (
            f"questions: {fresh['questions']:,}, came back: {fresh['returned']:,}, with an old visit: {fresh['old']:,}"
            f" (returns: {fresh['returns']:,}, with an old visit: {fresh['old_returns']:,});"
            f" visits sent: {sent if fresh['visits'] else 'none'}"
        )
    for name, what in (
        ("contradicted", "rows that are not paid what their draw says"),
        ("foreign", "rows whose draw is not that of their question and visit"),
        ("torn", "draws whose samples do not share their fate"),
    ):
        if each[name]:
            yield f"{what}: {each[name]:,}"
    yield from (f"  {where}" for where in each["examples"])


def _name(each: Found) -> str:
    return f"{each['url']}, part {each['part']}" if each["part"] else str(each["url"] or "?")


def _chance(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
