"""The views, each a function of a request: plain URLs, filters as GET forms."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from msgspec import UNSET
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from reward_server.dialects.row import SAMPLE_KEYS
from reward_server.offline.audit.tables import fresh
from reward_server.records.row import Row
from reward_server.view import calibration, compare, listing, meetings, run_page
from reward_server.view.curves import curves
from reward_server.view.filters import Filter, configs, whole
from reward_server.view.group_page import group_of_question
from reward_server.view.index import Index
from reward_server.view.labels import Labels
from reward_server.view.presets import PRESETS
from reward_server.view.rendering import page, url
from reward_server.view.runs import Run, axis_for, run_named, runs
from reward_server.view.sample_page import shown_sample
from reward_server.view.today import Deriver

MOST_FORM_BYTES = 10_000
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Endpoint = Callable[[Request], Awaitable[Response]]


class Missing(Exception):
    """There is no such run, sample, or question. The text says so."""


class Pages:
    """Over one record. Each answer first reads what the record has grown by."""

    def __init__(self, index: Index, deriver: Callable[[], Deriver]) -> None:
        self._index = index
        self._deriver = deriver
        self._labels = Labels(index.folder)

    def endpoint(self, answer: Callable[[Request], Response]) -> Endpoint:
        """Of a function that waits for nothing but files."""

        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(self._up_to_date, answer, request)

        return endpoint

    def index(self, request: Request) -> Response:
        """All runs."""
        return page("index.html", runs=runs(self._index), **self._record())

    def run(self, request: Request) -> Response:
        """The charts of one run."""
        run, filter = self._run(request.path_params["run"]), Filter.of(request.query_params)
        filter = filter.but(run=run.name)
        chosen = configs(self._index, filter.reward or run.reward)
        found = curves(self._index, run.number, chosen, whole(filter.per) or None)
        renewed = self._fresh(run, chosen)
        shown = run_page.charts(found, renewed)
        reward = filter.reward or (
            run.reward if len(run.rewards) > 1 else ""
        )  # each has an order of arrival of its own
        link = f"/samples?{filter.query(rows='train', reward=reward)}&bucket="
        return page(
            "run.html",
            run=run,
            filter=filter,
            curves=found,
            charts=shown,
            doubts=[each for each in renewed if each.is_stale or each.is_at_risk],
            figures=run_page.figures(found),
            link=link,
            script=_safe_json(run_page.for_script(found, shown, link)),
            **self._record(),
        )

    def _fresh(self, run: Run, chosen: list[int]) -> list[run_page.Fresh]:
        """Of those configurations of a run that have noise."""
        counted = {config: meetings.freshness(self._index.connection, run.number, config) for config in chosen}
        found = {config: each for config, each in counted.items() if each is not None}
        names, told = self._index.names("config"), []
        for config, each in found.items():
            row = listing.newest(self._index, run.number, config)
            is_fixed = row is not None and self._deriver().belongs_to_answers(row)
            says = fresh(None if is_fixed else {**asdict(each), "is_stale": each.is_stale})
            prefix = f"?{names[config].split(chr(10))[3]}: " if len(found) > 1 else ""
            told.append(run_page.Fresh(each.is_stale and not is_fixed, not (each.visits or is_fixed), prefix + says))
        return told

    def samples(self, request: Request) -> Response:
        """A list of samples."""
        asked = Filter.of(request.query_params)
        run = self._run(asked.run)
        axis = axis_for(self._index, run, asked)
        after = _after(request.query_params.get("after", ""))
        shown = listing.page(self._index, asked, axis, after)
        kinds = {kind: sorted(filter(None, self._index.names(kind).values())) for kind in ("outcome", "tier")}
        names = {kind: [(name, name.replace("_", " ")) for name in found] for kind, found in kinds.items()}
        return page(
            "samples.html",
            run=run,
            filter=asked,
            axis=axis,
            page=shown,
            names=names,
            presets=PRESETS,
            bucket=whole(asked.bucket),
            is_first=after is None,
            next=asked.query(after="{!r},{}".format(*shown.after)) if shown.after else None,
            **self._record(),
        )

    async def sample(self, request: Request) -> Response:
        """One sample, derived again."""
        row, context = await run_in_threadpool(self._up_to_date, self._sample, request)
        today = await self._deriver().derive(row)
        return page(
            "sample.html", **context, **shown_sample(row, today, whole=request.query_params.get("whole") == "1")
        )

    def _sample(self, request: Request) -> tuple[Row, dict[str, Any]]:
        n, row = self._read(request.path_params["id"])
        filter = Filter.of(request.query_params)
        run = self._run(row.run)
        axis = axis_for(self._index, run, filter)
        rank = listing.rank_of(self._index, filter, axis, n) if filter.run else None
        ids: dict[str, str | None] = {"previous": None, "next": None}
        if rank is not None:
            for name in ids:
                at = listing.neighbour(self._index, filter, axis, (rank, n), before=name == "previous")
                found = listing.read(self._index, at[1]) if at else None
                ids[name] = f"/sample/{url(found.id)}?{filter.query()}" if found else None
        context = {"run": run, "filter": filter.but(run=run.name), "label": self._labels.of(row.id), "ids": ids}
        context["here"] = f"{request.url.scheme}://{request.url.netloc}"
        return row, {**context, **self._record()}

    def row_json(self, request: Request) -> Response:
        """The body for `/explain`."""
        _, row = self._read(request.path_params["id"])
        given = {name: getattr(row, name) for name in SAMPLE_KEYS}
        body = {name: value for name, value in given.items() if value is not None and value is not UNSET}
        if row.ground_truth is None:  # an unusable one, which is not the same as none
            body["ground_truth"] = None
        return Response(json.dumps(body), media_type="application/json")

    def completion(self, request: Request) -> Response:
        """The completion as plain text; a lone surrogate is a question mark."""
        _, row = self._read(request.path_params["id"])
        return Response((row.completion or "").encode("utf-8", "replace"), media_type="text/plain; charset=utf-8")

    async def label(self, request: Request) -> Response:
        """Takes a judgement, and shows the sample again."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_FORM_BYTES:
                raise Missing("the form is too large")
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        return await run_in_threadpool(self._up_to_date, self._label, form)

    def _label(self, form: dict[str, str]) -> Response:
        _, row = self._read(form.get("id", ""))
        try:
            self._labels.add(row, form.get("says", ""))
        except (OSError, ValueError) as error:
            raise Missing(f"the label could not be kept: {error}") from None
        query = Filter.of(dict(parse_qsl(form.get("back", "")))).query()
        return RedirectResponse(f"/sample/{url(row.id)}?{query}#verdict", HTTPStatus.SEE_OTHER)

    def group(self, request: Request) -> Response:
        """One question over its visits."""
        run = self._run(request.query_params.get("run", ""))
        group = request.path_params["group"]
        found = group_of_question(self._index, run.number, group)
        if found is None:
            raise Missing(f"run {run.name} has no question {group!r}")
        return page("group.html", run=run, group=group, question=found, filter=Filter(run=run.name), **self._record())

    def compare(self, request: Request) -> Response:
        """A replay beside the record."""
        query = request.query_params
        run, names = self._run(query.get("run", "")), compare.replay_files(self._index.folder)
        name = query.get("file", "") or compare.first_with(self._index, names, run.number)
        asked = {key: query.get(key, "") for key in ("old", "new", "change")}
        context: dict[str, Any] = {"run": run, "names": names, "name": name, "asked": asked, **self._record()}
        if name not in names:
            return page("compare.html", comparison=None, **context)
        file = compare.refresh(self._index, name)
        after = whole(query.get("after", ""))
        found = compare.sides(self._index, file, run.number, after=after, **asked) if any(asked.values()) else []
        rows = [(side, listing.read(self._index, side.n) if side.n is not None else None) for _, side in found]
        return page(
            "compare.html",
            comparison=compare.compared(self._index, file, run.number),
            rows=rows[: listing.PAGE_ROWS],
            changes=compare.CHANGES,
            after=found[listing.PAGE_ROWS - 1][0] if len(found) > listing.PAGE_ROWS else None,
            **context,
        )

    def calibration(self, request: Request) -> Response:
        """A model's scores beside what is right."""
        run = self._run(request.query_params.get("run", ""))
        config, threshold = calibration.newest_scored(self._index, run.number)
        found = [calibration.of_verdicts(self._index, run.number, configs(self._index))]
        for name in compare.replay_files(self._index.folder):
            file = compare.refresh(self._index, name)
            found.append(calibration.of_replay(self._index, run.number, file, name))
        found.append(calibration.of_labels(self._index, run.name, self._labels.correct()))
        return page(
            "calibration.html",
            run=run,
            found=[each for each in found if each.rows],
            threshold=threshold,
            at=None if threshold is None else calibration.at_score(threshold),
            config=config,
            **self._record(),
        )

    def not_found(self, reason: str) -> Response:
        return page("missing.html", status=404, what="Not found", reason=reason)

    def failed(self) -> Response:
        """Of a page that could not be made."""
        reason = "its reason stands where `reward-server view` was started; other pages may work"
        return page("missing.html", status=500, what="This page failed", reason=reason)

    def _up_to_date(self, answer: Callable[[Asked], Answer], given: Asked) -> Answer:
        with self._index.lock:
            self._index.refresh()
            return answer(given)

    def _run(self, name: str) -> Run:
        run = run_named(self._index, name)
        if run is None:
            raise Missing(f"there is no run {name!r} in this record")
        return run

    def _read(self, id: str) -> tuple[int, Row]:
        n = listing.by_id(self._index, id)
        if n is None:
            raise Missing(f"there is no sample {id!r} in this record")
        row = listing.read(self._index, n)
        if row is None:
            file, offset = listing.place_of(self._index, n)
            raise Missing(f"the line of sample {id} is gone: {file}, byte {offset}")
        return n, row

    def _record(self) -> dict[str, Any]:
        torn = [str(path.relative_to(self._index.folder)) for path in self._index.torn]
        return {"folder": self._index.folder, "torn": torn, "skipped": self._index.skipped(), "urlencode": urlencode}


def _after(text: str) -> tuple[float, int] | None:
    rank, _, n = text.partition(",")
    try:
        return (float(rank), whole(n)) if n else None
    except ValueError:
        return None


def _safe_json(value: object) -> str:
    """JSON that ends no script element, whatever it holds."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")
