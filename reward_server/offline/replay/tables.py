"""The report of a replay as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from reward_server.offline.replay.groups import GROUPS, KINDS, Counts, total
from reward_server.offline.replay.report import Report

WIDTH = 120
MAX_BUCKETS = 20
COLUMNS = {
    GROUPS: "groups",
    "teaching-before": "taught",
    "teaching-after": "teach",
    "sign": "sign",
    "gains-variance": "gain",
    "loses-variance": "lose",
}
"""Of the groups, by what `--list` calls them."""
TITLES = {
    "teaching-before": "groups that had variance, so that they taught something",
    "teaching-after": "groups that have variance now",
    "sign": "groups in which an advantage changes its sign",
    "gains-variance": "groups that gain all their variance: they taught nothing, now they do",
    "loses-variance": "groups that lose all their variance: they taught something, now nothing",
    "differs": "rows that differ under their own configuration",
    "edge": "rows at the edge of the grading budget",
    "error": "rows whose grading failed, then or now",
    "hardware": "rows of a reward model that differ by its rounding",
    "not-paid": "rows that cannot be paid again here",
    "unknown": "rows that do not say what they were paid",
    "service": "rows that a grader or judge elsewhere graded otherwise",
}
"""Of what `--list` names. Two outcomes with `>` between them are their own title."""


def tables(told: Report, *, by_step: bool) -> str:
    """All of it, without the verdict. `by_step`: a line for each step, however many."""
    console = Console(width=WIDTH)
    with console.capture() as printed:
        for table in (_configs(told), _outcomes(told), _buckets(told, by_step=by_step), _groups(told)):
            if table.row_count:
                console.print(table)
        for line in (*_not_paid(told), *_examples(told), *_receipts(told)):
            console.print(line, soft_wrap=True, markup=False, highlight=False)
    return printed.get()


def _configs(told: Report) -> Table:
    table = Table("recorded under", "config", "version", "rows", "now", title="configurations", title_justify="left")
    for each in told["configs"]:
        now = each["now"] or "-"
        same = "the same" if now == each["config"] else f"{now}: {each['why']}" if each["now"] else each["why"]
        table.add_row(each["url"] or "?", each["config"] or "?", each["version"] or "?", str(each["rows"]), same)
    return table


def _outcomes(told: Report) -> Table:
    table = Table(title="outcomes, old and new", title_justify="left")
    for name in ("old", "new"):
        table.add_column(name)
    for name in ("rows", "paid otherwise", "mean, old", "mean, new"):
        table.add_column(name, justify="right")
    for each in told["outcomes"]:
        numbers = str(each["rows"]), str(each["changed"]), _mean(each["old_mean"]), _mean(each["new_mean"])
        table.add_row(each["old"] or "?", each["new"], *numbers)
    return table


def _buckets(told: Report, *, by_step: bool) -> Table:
    buckets = told["buckets"]
    size = 1 if by_step else -(-len(buckets) // MAX_BUCKETS) or 1
    title = "mean reward and groups of training rows"
    title += f", {size} steps a line (--by-step: each step)" if size > 1 else ""
    table = Table(title=title, title_justify="left")
    for name in ("run", "steps" if any("step" in each for each in buckets) else "bucket"):
        table.add_column(name)
    for name in ("rows", "old", "new", "difference", *COLUMNS.values()):
        table.add_column(name, justify="right")
    for run, label, each in _spans(buckets, size):
        table.add_row(run, label, str(each["rows"]), *_two_means(each), *_of_groups(each["groups"]))
    if len(buckets) > 1:
        table.add_section()
        each = told["training"]
        table.add_row("", "all", str(each["rows"]), *_two_means(each), *_of_groups(told["groups"]))
    if told["evaluation"]["rows"]:
        each = told["evaluation"]
        table.add_row("", "evaluation", str(each["rows"]), *_two_means(each))
    return table


def _two_means(each: dict[str, Any]) -> tuple[str, str, str]:
    old, new = each["old_mean"], each["new_mean"]
    return _mean(old), _mean(new), "" if old is None or new is None else f"{new - old:+.4f}"


def _of_groups(counts: Counts) -> Iterator[str]:
    return (str(counts[name]) for name in COLUMNS)


def _spans(buckets: list[dict[str, Any]], size: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """So many neighbours of a run are put together, weighted by their rows."""
    by_run: dict[str, list[dict[str, Any]]] = {}
    for each in buckets:
        if each.get("step", 0) is None:
            yield each["run"], "no step", each
        else:
            by_run.setdefault(each["run"], []).append(each)
    for run, own in by_run.items():
        for start in range(0, len(own), size):
            some = own[start : start + size]
            ends = [each.get("step", each.get("bucket")) for each in (some[0], some[-1])]
            label = str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} … {ends[1]}"
            yield run, label, _together(some)


def _together(some: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "rows": sum(each["rows"] for each in some),
        "groups": total(each["groups"] for each in some),
    }
    for name in ("old_mean", "new_mean"):
        known = [(each["rows"], each[name]) for each in some if each[name] is not None]
        rows = sum(count for count, _ in known)
        found[name] = sum(count * mean for count, mean in known) / rows if rows else None
    return found


def _groups(told: Report) -> Table:
    groups = told["groups"]
    table = Table("groups of training rows", "", title="advantages", title_justify="left")
    if groups[GROUPS] and told["changed"]:
        table.add_row("of two rows or more", str(groups[GROUPS]))
        for name in KINDS:
            table.add_row(f"{TITLES[name]} (--list {name})", str(groups[name]))
    return table


def _not_paid(told: Report) -> Iterator[str]:
    for each in told["not_paid"]:
        yield f"{each['rows']} rows cannot be paid again: {each['why']}"


def _examples(told: Report) -> Iterator[str]:
    for name, examples in told["examples"].items():
        yield ""
        yield f"{TITLES.get(name, name)}, the first {len(examples)} (--list '{name}' lists all):"
        yield from map(example_line, examples)


def example_line(each: dict[str, Any]) -> str:
    """One row: where it stands, and what it was and is paid."""
    at = f"step {each['step']}" if each["step"] is not None else f"visit {each['visit']}" if each["visit"] else ""
    was, now = (f"{_paid(each[k])} {each[f'{k}_outcome'] or '?'}" for k in ("old", "new"))
    which = "  ".join(part for part in (each["where"], each["id"], each["question"] or "", at) if part)
    return f"  {which}  {was} -> {now}"


def _receipts(told: Report) -> Iterator[str]:
    found = told["receipts"]
    if found is None:
        return
    yield ""
    for name, each in found.items():
        yield f"receipt, {name}: {each['receipt']}  ({each['samples']} distinct samples)"
        if each["contradicted"]:
            yield f"  {each['contradicted']} of them were paid more than one reward: all of these are in"


def _mean(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _paid(value: float | None) -> str:
    return "null" if value is None else f"{value:g}"
