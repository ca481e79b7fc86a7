"""The page in a real browser. Skipped where there is none; `make test-view` brings one."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from view.browser import AXE, Watched, chromium, playwright
from view.hostile import TEXTS, record_hostile
from view.shown import View, shown

from reward_server.records.files import rows
from reward_server.view.marks import seen
from reward_server.view.store import NAME

playwright()
VIEWS = (
    "/",
    "/run/restarted",
    "/samples?run=notation&preset=in-text",
    "/sample/r1-40-3?run=notation&outcome=incorrect",
    "/group/q-3?run=stale",
    "/compare?run=cut",
    "/calibration?run=judge",
    f"/sample/h-{len(TEXTS) - 1}?run=hostile",
    "/run/none",
)
STICKS_OUT = """() => {
    const main = document.querySelector("main"), style = getComputedStyle(main)
    const edge = main.getBoundingClientRect().right - parseFloat(style.paddingRight) + 1
    const free = (each) => !each.closest(".scroll, .visits, svg, .plot")
    const out = (each) => each.getBoundingClientRect().right > edge
    return [...main.querySelectorAll("*")].filter((each) => free(each) && out(each)).map((each) => each.outerHTML)
}"""
SIZES = {"wide": (1280, 900), "narrow": (390, 844)}


@pytest.fixture(scope="module")
def view(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    copy = tmp_path_factory.mktemp("shown") / "record"
    shutil.copytree(made, copy, ignore=shutil.ignore_patterns(NAME))
    asyncio.run(record_hostile(copy))
    with shown(copy) as view:
        yield view


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_quiet_fits_its_window_and_can_be_read(view: View, browser: Any, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, bypass_csp=True)
    tab = Watched(context, view.url)
    for path in VIEWS:
        page = tab.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(STICKS_OUT) == [], path
        if AXE.exists():
            page.evaluate(AXE.read_text())
            found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa']})")["violations"]
            assert [(path, each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []
    assert [problem for problem in tab.problems if "404" not in problem] == []
    context.close()


def test_the_policy_is_never_violated_and_nothing_leaves_the_loopback(view: View, browser: Any) -> None:
    context = browser.new_context()
    tab = Watched(context, view.url)
    for path in VIEWS[:-1]:
        page = tab.open(path)
        page.wait_for_load_state("networkidle")
    assert tab.problems == []
    context.close()


def test_without_javascript_all_but_the_charts_works(view: View, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = Watched(context, view.url)
    page = tab.open("/run/restarted")
    assert page.locator("noscript p").is_visible()
    page.locator("summary").click()
    assert page.locator(".numbers tbody tr").count() == 60
    page.locator(".numbers tbody a").nth(30).click()
    assert page.url.endswith("bucket=30")
    page.locator("select[name=outcome]").select_option("incorrect")
    page.get_by_role("button", name="Filter").click()
    assert "outcome=incorrect" in page.url
    page.locator("a.row").first.click()
    assert page.locator("#completion").is_visible()
    assert tab.problems == []
    context.close()


def test_one_cursor_reads_all_charts_and_a_click_opens_the_bucket(view: View, browser: Any) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 1600})
    page = Watched(context, view.url).open("/run/cut")
    over = page.locator(".u-over")
    assert over.count() == 5
    box = over.nth(1).bounding_box()
    x = box["x"] + box["width"] * 45 / 59
    page.mouse.move(x, box["y"] + 20)
    page.wait_for_function("document.querySelector('output[data-chart=\"4\"]').textContent !== ''")
    said = page.locator("output:not([data-series='-'])").all_text_contents()
    assert page.locator("output[data-series='-']").all_text_contents() == ["45"] * 5
    told = page.evaluate("JSON.parse(document.getElementById('curves').textContent)")
    values = [each["values"][45] for chart in told["charts"] for each in chart if each["form"] != "edge"]
    assert [text for text, value in zip(said, values, strict=True) if (text == "") is not (value is None)] == []
    page.mouse.click(x, box["y"] + 20)
    page.wait_for_url("**/samples?*bucket=45")
    context.close()


def test_the_keyboard_walks_from_the_list_through_its_samples_and_back(view: View, browser: Any) -> None:
    context = browser.new_context()
    page = Watched(context, view.url).open("/samples?run=cut&outcome=unanswered")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('row')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/sample/*")
    first = page.url
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda url: "/sample/" in url and url != first)
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(first)
    page.keyboard.press("Escape")
    page.wait_for_url("**/samples?run=cut&outcome=unanswered")
    context.close()


def test_a_judgement_by_a_click_is_shown_as_pressed(view: View, browser: Any) -> None:
    context = browser.new_context()
    tab = Watched(context, view.url)
    page = tab.open("/sample/r0-7-2?run=cut")
    page.get_by_role("button", name="Wrong").click()
    page.wait_for_url("**#verdict")
    assert page.get_by_role("button", name="Wrong").get_attribute("aria-pressed") == "true"
    assert tab.problems == []
    context.close()


def test_hostile_texts_stay_texts_and_what_is_marked_is_what_was_read(view: View, browser: Any) -> None:
    context = browser.new_context()
    tab = Watched(context, view.url)
    page = tab.open("/samples?run=hostile")
    assert page.locator("a.row").count() == len(TEXTS)
    for _, row in rows(view.folder, "hostile"):
        page = tab.open(f"/sample/{row.id}?run=hostile&whole=1")
        assert page.url.startswith(f"{view.url}/sample/{row.id}")
        text = row.completion or ""
        assert page.evaluate("document.getElementById('completion').textContent") == seen(text)
        marked = page.evaluate(
            "Object.groupBy(document.querySelectorAll('#completion mark'), (mark) => mark.className)"
        )
        assert set(marked) <= {"answer", "phrase", "ignored", "phrase answer", "ignored phrase"}
        answer, ignored = (
            page.evaluate(
                f"[...document.querySelectorAll('#completion mark.{kind}')].map((m) => m.textContent).join('')"
            )
            for kind in ("answer", "ignored")
        )
        assert (answer, ignored) == (seen(row.answer or ""), seen(text[row.turn_chars :]))
        tab.open(f"/group/{row.question}?run=hostile")
    assert tab.problems == []
    context.close()
