"""`GET /rewards/NAME/noise`: how often a reward was wrong since this server's start, as a second opinion has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reward_server.catalog.catalog import Catalog
from reward_server.measuring.report import LEGEND, report
from reward_server.measuring.tables import MAX_TABLES, Tables
from reward_server.rewards.composite import Composite
from reward_server.rewards.plan import Plan
from reward_server.rewards.table import REWARDS

NOTHING = "nothing was counted: ask a second opinion, as in POST /score/verifier?check=string&reference=math"


def measured(
    catalog: Catalog, tables: Tables, name: str, query: str, asked: Callable[[str], dict[str, object] | None]
) -> dict[str, object]:
    """All configs of a reward that asked a second opinion, the last used first; with a query string, that one alone.

    `asked`: how a check does as a second opinion, where it can be away.

    Of a reward that is made of others, those of its parts.

    Raises UnknownReward, InvalidRequest.
    """
    catalog.check_name(name)
    plan = catalog.resolve(name, query) if query or issubclass(REWARDS[catalog.base(name)], Composite) else None
    wanted = {(name, None)} if plan is None else {(part.name, part.config) for part in _leaves(plan)}
    found = {
        config: report(table, tallies, ("check", "paid") if catalog.base(asker) == "flip" else ("check",))
        for asker in sorted({asker for asker, _ in wanted})
        for config, (table, tallies) in tables.of(asker).items()
        if (asker, config) in wanted or (asker, None) in wanted
    }
    references = {str(each["reference"]): asked(str(each["reference"])) for each in found.values()}
    return {
        "reward": name,
        "counted": f"since this server's start, at most {MAX_TABLES} configs; evaluation rows are left out",
        "forgotten_configs": tables.forgotten,
        **({} if found else {"says": NOTHING}),
        "legend": LEGEND,
        **({"second_opinions": away} if (away := {k: v for k, v in references.items() if v is not None}) else {}),
        "configs": found,
    }


def _leaves(plan: Plan) -> Iterator[Plan]:
    if not plan.parts:
        yield plan
    for part in plan.parts.values():
        yield from _leaves(part)
