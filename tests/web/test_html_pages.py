"""`/` and `/docs`: they work without the internet and without scripts, and what they tell to paste works."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import Starter
from running_server import RunningServer

from reward_server import __version__
from reward_server.rewards.table import REWARDS
from reward_server.web import html_page

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PAGES = ("/", "/docs")
CHROMIUM = Path("/usr/bin/chromium")
SIZES = ((1280, 900), (390, 844))


class Parsed(HTMLParser):
    """What a page loads, links to, and has for anchors."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.tags.append(tag)
        self.loads += [given[key] for key in ("src", "srcset", "data") if key in given]
        self.loads += [given["href"]] if tag == "link" else []
        self.links += [given["href"]] if tag == "a" else []
        self.anchors |= {given["id"]} if "id" in given else set()
        assert not any(key.startswith("on") or key == "style" for key in given)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_its_icon_from_here_and_nothing_else(server: RunningServer, path: str) -> None:
    reply = server.get(path, headers=HTML)
    page = Parsed(reply.text)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert page.loads == ["/favicon.ico"]
    assert "script" not in page.tags and "://" not in html_page.STYLE and "url(" not in html_page.STYLE
    assert reply.text.count(f"<style>{html_page.STYLE}</style>") == 1
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
    icon = server.get("/favicon.ico")
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")


@pytest.mark.parametrize("path", PAGES)
def test_its_links_lead_somewhere(server: RunningServer, path: str) -> None:
    page = Parsed(server.get(path, headers=HTML).text)
    for link in set(page.links):
        target, _, anchor = link.partition("#")
        if anchor:
            assert not target and anchor in page.anchors, link
        else:
            assert server.get(link).status_code == 200


def test_a_browser_gets_a_page_and_others_json_that_says_the_same(server: RunningServer) -> None:
    page = unescape(server.get("/", headers=HTML).text)
    for accept in ("*/*", "application/json", ""):
        reply = server.get("/", headers={"accept": accept})
        told = reply.json()
        assert (told["name"], told["version"], told["state"]) == ("reward-server", __version__, "ready")
        assert reply.headers["vary"] == "Accept"
        for said in (told["what"], told["version"], *told["try"], *told["links"], *told["links"].values()):
            assert said in page


def test_its_three_lines_work_as_they_are_pasted(server: RunningServer) -> None:
    lines = re.findall(r'<pre class="command"[^>]*>(.*?)</pre>', server.get("/", headers=HTML).text)
    assert len(lines) == 3
    for line in lines:
        assert "\n" not in unescape(line) and server.url in unescape(line)
        said = json.loads(subprocess.run(["bash", "-c", unescape(line)], capture_output=True, check=True).stdout)
        assert said.get("rewards", [said.get("value")]) == [1.0]


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("rewards.lab:8000", "http://rewards.lab:8000"),
        ("reward_server", "http://reward_server"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("a'; touch /tmp/x; '", None),
        ("<script>alert(1)</script>", None),
        ("$(id)", None),
        ("a b", None),
        ("user@elsewhere", None),
        ("elsewhere/path", None),
        ("", None),
    ],
)
def test_a_host_that_is_none_is_not_repeated(server: RunningServer, host: str, shown: str | None) -> None:
    for accept in ("text/html", "*/*"):
        text = unescape(raw_get(server, f"Host: {host}\r\nAccept: {accept}\r\n"))
        assert (shown or server.url) + "/score/verifier'" in text
        if shown is None and host:
            assert host not in text


def test_a_proxy_that_ends_tls_is_believed_so_far(server: RunningServer) -> None:
    for said, scheme in (("https", "https"), ("HTTPS", "https"), ("http", "http"), ("javascript", "http")):
        told = server.get("/", headers={"x-forwarded-proto": said, "host": "rewards.lab"}).json()
        assert f"'{scheme}://rewards.lab/score/verifier'" in told["try"][0]


def raw_get(server: RunningServer, headers: str) -> str:
    """As a client may send it that checks nothing."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\n{headers}Connection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(2**16), b"")).decode()


def test_a_server_with_keys_shows_where_the_key_goes_and_no_key(start_server: Starter) -> None:
    with start_server("--drain-delay-s", "9", environment={"REWARD_API_KEYS": "secret-1"}) as server:
        told = server.get("/").json()
        assert all("-H 'Authorization: Bearer KEY'" in line for line in told["try"])
        line = told["try"][0].replace("Bearer KEY", "Bearer secret-1")
        said = json.loads(subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout)
        assert said["rewards"] == [1.0]
        document = server.get("/openapi.json").json()
        assert document["paths"]["/score/flip"]["post"]["security"] == [{"bearer": []}, {"basic": []}]
        assert "security" not in document["paths"]["/health"]["get"]
        assert all("secret-1" not in server.get(path, headers=HTML).text for path in (*PAGES, "/openapi.json"))
        server.process.terminate()
        while (state := server.get("/").json()["state"]) == "ready":
            pass
        assert state.startswith("the server is shutting down")
        assert '<li class="state ">the server is shutting down' in server.get("/", headers=HTML).text


def test_docs_shows_every_path_parameter_body_and_reply(server: RunningServer) -> None:
    page = server.get("/docs").text
    document = server.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            head = f'<code><span class="method">{method.upper()}</span> {path}</code>'
            assert f'<h3 id="{operation["operationId"]}">{head}</h3>' in page
    for model in REWARDS.values():
        assert all(f"<td><code>{name}</code>" in page for name in model.model_fields)
    assert all(f'<h3 id="schema-{name}">' in page for name in document["components"]["schemas"])
    assert "what precedes <code>&lt;/think&gt;</code>." in page
    assert all(f'<td class="default"><code>{value}</code></td>' in page for value in ("false", "question", "0.0"))
    assert ">None<" not in page and "{&#x27;" not in page


def test_what_a_variant_is_called_and_sets_is_text(start_server: Starter, tmp_path: Path) -> None:
    config = tmp_path / "rewards.toml"
    config.write_text('[a-b_c]\nbase = "flip"\nflip_prob = 0.4\n')
    with start_server("--config", str(config)) as server:
        page = server.get("/docs").text
        assert 'href="#score_a-b_c"' in page and '<td class="default"><code>0.4</code></td>' in page


def test_in_a_browser_nothing_leaves_and_nothing_complains(server: RunningServer) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: make test-view installs it")
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme)
            asked: list[str] = []
            complaints: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("console", lambda message, said=complaints: said.append(message.text))
            page.on("pageerror", lambda error, said=complaints: said.append(str(error)))
            for path in (*PAGES, "/health"):
                for width, height in SIZES:
                    page.set_viewport_size({"width": width, "height": height})
                    assert page.goto(server.url + path).ok
                    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                    assert page.evaluate(wide) <= 0, (path, width)
            assert complaints == []
            assert all(url.startswith(server.url) for url in asked)
            page.close()
        browser.close()
