"""mix and route on a live server: every dialect, /explain, the metrics, the client and the adapters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from answering import Asked, Said, answering
from conftest import Starter
from running_server import RunningServer, running_server

from trainer_client import BadConfiguration, RewardClient
from trainer_client.adapters import _shared, areal, openrlhf, slime, trl, verl

RIGHT, WRONG, BARE = "Wait, let me check: \\boxed{4}", "Wait, let me check: \\boxed{5}", "Wait, let me check: 4"
"""Two of the 40 phrases: an RPR of 0.1."""
TOML = """
[blend]                      # the gate lets through what is right: 0.8 + 0.2 · 0.1
base = "mix"
gate = "right"
[blend.parts.right]
reward = "flip"
weight = 0.8
flip_prob = 0.0
[blend.parts.style]
reward = "rpr"
weight = 0.2

[by-source]
base = "route"
[by-source.routes]
gsm8k = "verifier"
chat = "blend"
judged = "rm"
"""
PAID = 840 / 1024  # round(1024 · 0.82)
BODY: dict[str, Any] = {"completions": [RIGHT, WRONG, BARE], "ground_truths": ["4", "4", None], "groups": [1, 1, 1]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("compose")
    (folder / "rewards.toml").write_text(TOML)
    with running_server(folder / "log", "--config", str(folder / "rewards.toml")) as running:
        yield running


def test_the_native_reply_has_parts_components_and_what_may_be_filtered_by(server: RunningServer) -> None:
    reply = server.post("/score/blend", BODY)
    found = reply.json()
    assert found["rewards"] == [PAID, 0.0, None]
    assert found["outcomes"] == ["correct", "incorrect", "ungradable"]
    assert found["components"] == {"right": [0.8, 0.0, None], "style": [pytest.approx(0.02), 0.0, None]}
    assert found["scores"] == [1.0, 0.0, None]
    assert found["parts"]["right"] == [1.0, 0.0, None] and found["parts"]["style"] == [0.1, 0.1, 0.0]
    assert found["parts"]["right/clean"] == found["parts"]["clean"] == [1.0, 0.0, None]
    assert (reply.headers["X-Reward-Unscored"], reply.headers["X-Reward-Config"]) == ("1", found["config"])
    empty = server.post("/score/blend", {"completions": []}).json()
    assert (empty["rewards"], empty["parts"], empty["components"], empty["scores"]) == ([], {}, {}, [])
    assert "components" not in server.post("/score/verifier", BODY).json()


def test_the_plain_url_is_the_same_mix(server: RunningServer) -> None:
    plain = server.post("/score/mix?flip=0.8&flip.flip_prob=0&rpr=0.2&gate=flip", BODY).json()
    assert plain["rewards"] == server.post("/score/blend", BODY).json()["rewards"]
    assert list(plain["components"]) == ["flip", "rpr"]


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("mix", "it has no parts"),
        ("mix?gate=verifier", "it has no parts"),
        ("mix?verifier=0.8&alpha=0.1", "alpha: no such parameter, and no reward is called 'alpha' "),
        ("mix?verifier=0.8&rpr.saturation=40", "rpr.saturation: no such parameter (parts: verifier"),
        ("mix?verifier=0.8&verifier.chek=math", "verifier.chek: no such parameter (parameters of verifier"),
        ("mix?verifier=0.8&verifier.reply=object", "verifier.reply: it does nothing for a part"),
        ("mix?verifier=nan", "verifier: a weight is a number"),
        ("mix?verifier=inf", "verifier: a weight is a number"),
        ("mix?verifier=1e9", "verifier: a weight is a number"),
        ("mix?verifier=much", "verifier: a weight is a number of at most 1e+06, not 'much'"),
        ("mix?verifier=0&rpr=0", "every weight is 0"),
        ("mix?verifier=1&gate=rpr", "gate: no part is called 'rpr'; parts: verifier"),
        ("mix?flip=1", "flip: give flip_prob"),
        ("mix?mix=1", "mix.it has no parts"),
        ("mix?flip=1&flip.flip_prob=0.1&flip.correction=backward&gate=flip", "gate=flip: under its correction"),
        ("blend?style=0.1&verifier=1", "verifier: no such parameter (parts: right, style"),
        ("blend?right.flip_prob=2", "right.flip_prob"),
        ("route", "it has no parts"),
        ("route?gsm8k=verifer", "no reward is called 'verifer'"),
        ("by-source?chat.style=much", "chat.style: a weight"),
        ("by-source?new=verifier", "new: no such parameter (parts: gsm8k, chat, judged"),
        ("verifier?verifier=1", "verifier: no such parameter"),
    ],
)
def test_what_a_query_string_may_not_say_is_refused_in_words(server: RunningServer, path: str, complaint: str) -> None:
    reply = server.post(f"/score/{path}", BODY)
    assert reply.status_code == 422, reply.text
    assert complaint in reply.json()["error"]["message"]


def test_a_part_s_requirement_names_the_part_and_the_row(server: RunningServer) -> None:
    body = {"completions": [RIGHT, RIGHT], "ground_truths": ["4", "4"], "groups": ["q", " "]}
    message = server.post("/score/blend", body).json()["error"]["message"]
    assert message.startswith("blend: its part right: the group of row 1 is blank")
    body = {"completions": [RIGHT] * 3, "ground_truths": ["4"] * 3, "sources": ["gsm8k", "gsm8k", "chat"]}
    message = server.post("/score/by-source", body).json()["error"]["message"]
    assert "by-source: its part chat: its part right needs a group or a prompt" in message and "row 2" in message


def test_a_route_s_requirements_count_for_its_own_rows_alone(server: RunningServer) -> None:
    """`chat` needs a group and `judged` a model; rows of `gsm8k` need neither."""
    body: dict[str, Any] = {"completions": [RIGHT, WRONG], "ground_truths": ["4", "4"], "sources": ["gsm8k", "gsm8k"]}
    found = server.post("/score/by-source", body).json()
    assert found["rewards"] == [1.0, 0.0]
    body |= {"sources": ["gsm8k", "judged"], "prompts": ["2+2?", "2+2?"]}
    assert server.post("/score/by-source", body).status_code == 501


def test_rows_of_one_source_have_the_keys_of_all(server: RunningServer) -> None:
    one = {"completions": [RIGHT], "ground_truths": ["4"], "groups": [1], "sources": ["gsm8k"]}
    several = {"completions": [RIGHT] * 4, "ground_truths": ["4"] * 4, "groups": [1] * 4}
    several["sources"] = ["gsm8k", "chat", "nobody", None]
    few, many = server.post("/score/by-source", one).json(), server.post("/score/by-source", several).json()
    assert list(few["parts"]) == list(many["parts"]) and list(few["components"]) == list(many["components"])
    assert many["rewards"] == [1.0, PAID, None, None]
    assert many["outcomes"] == ["correct", "correct", "ungradable", "ungradable"]
    assert many["components"]["verifier"] == [1.0, None, None, None]
    assert many["components"]["right"] == [None, 0.8, None, None]
    assert "no route is for the source 'nobody'; known: gsm8k, chat, judged" in server.log.read_text()


def test_sources_of_one_reward_are_asked_together(server: RunningServer) -> None:
    """A data set of a hundred sources is graded like one, and each sample keeps its own source."""
    parts = "&".join(f"s{n}=verifier" for n in range(30)) + "&noisy=flip&noisy.flip_prob=0"
    sources = [*(f"s{n}" for n in range(30)), "noisy"]
    body = {"completions": [RIGHT] * 31, "ground_truths": ["4"] * 31, "groups": [1] * 31, "sources": sources}
    before = server.metric("reward_stage_seconds_count", stage="grade")
    reply = server.post(f"/score/route?{parts}", body).json()
    assert reply["rewards"] == [1.0] * 31
    assert server.metric("reward_stage_seconds_count", stage="grade") == before + 2
    sample = {"completion": RIGHT, "ground_truth": "4", "source": "s7"}
    assert list(server.post(f"/explain/route?{parts}", sample).json()["made_of"]) == ["s7"]


def test_the_source_of_a_label_wins_over_the_column(server: RunningServer) -> None:
    body = {"completions": [WRONG], "ground_truths": [{"ground_truth": "4", "source": "gsm8k"}], "sources": ["chat"]}
    assert server.post("/score/by-source", body).json()["parts"]["right"] == [None]
    wrong = {"completions": [WRONG], "ground_truths": [{"ground_truth": "4", "source": 7}]}
    assert "source: expected a text" in server.post("/score/by-source", wrong).json()["error"]["message"]
    wrong = {"completions": [WRONG], "ground_truths": ["4"], "sources": [7]}
    assert server.post("/score/by-source", wrong).status_code == 422


def test_openrlhf_gets_every_part_and_component_as_a_number(server: RunningServer) -> None:
    body = {"query": [f"q {RIGHT}", f"q {WRONG}", f"q {BARE}"], "prompts": ["q "] * 3, "labels": ["4", "4", None]}
    found = server.post("/score/blend?fallback_reward=0.25", body).json()
    assert (found["rewards"], found["scores"]) == ([PAID, 0.0, 0.25], [1.0, 0.0, 0.25])
    logs = found["extra_logs"]
    assert logs["components/right"] == [0.8, 0.0, 0.0] and logs["style"] == [0.1, 0.1, 0.0]
    assert logs["clean"] == [1.0, 0.0, 0.0] and logs["unscored"] == [0.0, 0.0, 1.0]
    assert not any(name.endswith("flip_draw") for name in logs)
    assert all(isinstance(value, float) for column in logs.values() for value in column)
    labels = [{"ground_truth": "4", "source": "gsm8k"}, {"ground_truth": "4", "source": "nobody"}]
    found = server.post("/score/by-source", {"query": [RIGHT, RIGHT], "labels": labels}).json()
    assert (found["rewards"], found["extra_logs"]["unscored"]) == ([1.0, 0.0], [0.0, 1.0])


def test_slime_and_aws_get_them_too(server: RunningServer) -> None:
    body = {"response": RIGHT, "label": "4", "prompt": "q"}
    assert server.post("/score/blend", body).json() == PAID
    answer = server.post("/score/blend?reply=object", body).json()
    assert answer == {"reward": PAID, "score": 1.0, "clean": 1.0, "unscored": 0.0}
    written = [{"role": "user", "content": "q"}, {"role": "assistant", "content": RIGHT}]
    row = {"id": "1", "messages": written, "metadata": {"reference_answer": "4", "data_source": "chat"}}
    (paid,) = server.post("/score/by-source", [row]).json()
    assert {"name": "components/right", "value": 0.8, "type": "Metric"} in paid["metrics_list"]
    row["metadata"] = {"reference_answer": "4"}
    refused = server.post("/score/by-source", [row])
    assert "it has no source" in refused.json()["error"]["message"]


def test_nemo_gym_s_row_has_its_source_and_keeps_its_columns(server: RunningServer) -> None:
    output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": RIGHT}]}]
    row = {"response": {"output": output}, "ground_truth": "4", "group": "q", "flip": True, "data_source": "chat"}
    paid = server.post("/score/by-source/verify", row).json()
    assert (paid["reward"], paid["components/style"], paid["data_source"]) == (PAID, pytest.approx(0.02), "chat")
    unknown = server.post("/score/by-source/verify", paid | {"data_source": "nobody"}).json()
    assert (unknown["reward"], unknown["_ng_failure_class"]) == (0.0, "reward_ungradable")
    assert "'nobody'" in unknown["failure_reason"] and "components/style" not in unknown
    odd = server.post("/score/blend/verify", row | {"source": ["a", "b"]})  # a column of somebody's own
    assert odd.json()["reward"] == PAID
    query = "flip=0.8&flip.flip_prob=0&rpr=0.2"
    plain = server.post(f"/score/mix/verify?{query}", row).json()
    assert (plain["flip"], plain["flip/clean"], plain["components/flip"]) == (True, 1.0, 0.8)


def test_explain_shows_each_part_s_derivation_and_how_they_were_joined(server: RunningServer) -> None:
    sample = {"completion": RIGHT, "ground_truth": "4", "group": "q"}
    found = server.post("/explain/blend?right.flip_prob=0.4&right.seed=3", sample).json()
    assert found["mix"]["weights"] == {"right": 0.8, "style": 0.2} and found["mix"]["gate"] == "right"
    right = found["made_of"]["right"]
    alone = server.post("/explain/flip?flip_prob=0.4&seed=3", sample).json()
    assert (right["noise"], right["config"]) == (alone["noise"], alone["config"])
    assert found["made_of"]["style"]["rpr"]["hits"] == 2
    assert any(text.startswith("right: no visit") for text in found["warnings"])
    wrong = server.post("/explain/blend", sample | {"completion": WRONG}).json()
    assert wrong["mix"]["is_closed"] and "gate right is paid 0" in wrong["why"]
    eaten = server.post("/explain/blend", sample | {"completion": "\boxed{4}"}).json()
    assert sum("ate a backslash" in text for text in eaten["warnings"]) == 1
    null = server.post("/explain/blend", sample | {"ground_truth": None}).json()
    assert "The part right has no reward" in null["why"]
    penalised = server.post("/explain/mix?verifier=1&rpr=-2&gate=verifier", sample).json()
    assert any("gate=verifier: its weight is less than the penalties" in text for text in penalised["warnings"])


def test_explain_names_the_known_sources(server: RunningServer) -> None:
    sample = {"completion": RIGHT, "ground_truth": "4", "group": "q", "source": "nobody"}
    found = server.post("/explain/by-source", sample).json()
    assert found["route"] == {"source": "nobody", "known": {"gsm8k": "verifier", "chat": "blend", "judged": "rm"}}
    assert "known: gsm8k, chat, judged" in found["why"] and found["made_of"] == {}
    found = server.post("/explain/by-source", sample | {"source": "chat"}).json()
    assert found["made_of"]["chat"]["made_of"]["right"]["verdict"]["outcome"] == "correct"


def test_the_pages_list_the_parts_and_their_parameters(server: RunningServer) -> None:
    listed = {reward["name"]: reward for reward in server.get("/rewards").json()["rewards"]}
    assert listed["blend"]["parameters"]["right"]["default"] == 0.8
    assert listed["blend"]["parameters"]["right.flip_prob"]["default"] == 0.0
    assert "style.saturation" in listed["blend"]["parameters"] and "style.reply" not in listed["blend"]["parameters"]
    assert "chat.right.flip_prob" in listed["by-source"]["parameters"]
    page = server.get("/openapi.json").json()["paths"]["/score/blend"]["post"]["parameters"]
    assert {"right", "style", "gate", "right.flip_prob"} <= {parameter["name"] for parameter in page}


def test_what_parts_share_is_read_graded_and_searched_once(server: RunningServer) -> None:
    """Counted by the stages that ran, and by what Math-Verify was asked."""
    truths = [f"{n}+\\ln y" for n in range(5)]
    completions = [f"wait \\boxed{{\\ln y+{n}}}" for n in range(5)]
    body = {"completions": completions, "ground_truths": truths, "groups": [1] * 5}
    parts = "verifier=1&flip=1&flip.flip_prob=0.5&rm_sim=1&rm_sim.phrases=math&rpr=1&verifier.alpha=0.1"

    def counted() -> dict[str, float]:
        stages = ("extract", "judge", "grade", "rpr")
        found = {stage: server.metric("reward_stage_seconds_count", stage=stage) for stage in stages}
        looked = {result: server.metric("reward_verdict_cache_total", result=result) for result in ("hit", "miss")}
        return found | looked

    before = counted()
    assert len(server.post(f"/score/mix?{parts}", body).json()["rewards"]) == 5
    after = counted()
    assert {name: after[name] - before[name] for name in after} == {
        "extract": 1,
        "judge": 1,
        "grade": 1,
        "rpr": 1,
        "hit": 0,
        "miss": 5,
    }
    before = after
    server.post("/score/mix?verifier=1&flip=1&flip.flip_prob=0.5&flip.answer=auto&rpr=1&rpr.saturation=40", body)
    after = counted()
    differ = {name: after[name] - before[name] for name in after}
    assert (differ["extract"], differ["grade"], differ["rpr"], differ["miss"]) == (
        2,
        2,
        1,
        0,
    )  # two places of an answer


def test_metrics_count_an_outcome_once_a_sample_and_the_noise_of_parts(server: RunningServer) -> None:
    path = "/score/mix?flip=1&flip.flip_prob=1&rpr=1&verifier=1"
    config = server.post(path, BODY).json()["config"]

    def counted(name: str, **labels: str) -> float:
        return server.metric(name, reward="mix", config=config, **labels)

    assert counted("reward_samples_total", outcome="correct") == 1
    assert counted("reward_samples_total", outcome="ungradable") == 1
    assert counted("reward_flips_total") == counted("reward_flip_exposed_total") == 2
    assert counted("reward_rpr_count") == 3


def test_the_client_has_components_and_joins_them_over_chunks(server: RunningServer) -> None:
    with RewardClient(f"{server.url}/score/by-source", max_samples=2) as client:
        rewards = client.score(
            [RIGHT, WRONG, RIGHT], ground_truths=["4"] * 3, groups=["q"] * 3, sources=["gsm8k", "chat", "chat"]
        )
        assert rewards.rewards == [1.0, 0.0, PAID]
        assert rewards.components["right"] == [None, 0.0, 0.8] and rewards.scores == [1.0, 0.0, 1.0]
        assert client.explain(RIGHT, ground_truth="4", group="q", source="gsm8k")["value"] == 1.0


@pytest.fixture
def blend(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    url = f"{server.url}/score/blend?fallback_reward=0.25"
    monkeypatch.setenv("REWARD_URL", url)
    yield url
    for asked in (None, f"{server.url}/score/by-source"):
        _shared.sync_client(asked, areal.DEADLINE_S, adapter="areal").close()
    _shared.sync_client(None, adapter="openrlhf").close()
    _shared.sync_client.cache_clear()
    _shared.async_client.cache_clear()


@pytest.mark.usefixtures("blend")
def test_adapters_log_parts_and_components_under_the_same_keys_for_every_sample() -> None:
    info = {"raw_prompt": "q"}
    right, null = (asyncio.run(verl.compute_score("math", RIGHT, truth, info)) for truth in ("4", None))
    assert right.keys() == null.keys()
    assert (right["score"], right["acc"], right["components/right"], right["style"]) == (PAID, 1.0, 0.8, 0.1)
    assert (null["score"], null["unscored"], null["components/right"]) == (0.25, 1.0, 0.0)
    sample = SimpleNamespace(prompt="q", response=RIGHT, label="4", metadata={}, index=0, group_index=0)
    paid = asyncio.run(slime.reward(SimpleNamespace(reward_key="reward"), sample))
    assert (paid["components/style"], paid["score"]) == (pytest.approx(0.02), 1.0)
    assert openrlhf.reward_func([f"q {RIGHT}"], ["q "], ["4"])["extra_logs"]["components/right"] == [0.8]
    assert areal.reward_fn("q", RIGHT, ground_truth="4") == PAID


@pytest.mark.usefixtures("blend")
def test_verl_s_data_source_and_a_row_s_own_go_to_the_route(server: RunningServer) -> None:
    url = f"{server.url}/score/by-source"
    paid = asyncio.run(verl.compute_score("gsm8k", RIGHT, "4", {"raw_prompt": "q", "source": "nobody"}, url=url))
    assert (paid["score"], paid["components/verifier"], paid["components/right"]) == (1.0, 1.0, 0.0)
    assert areal.reward_fn("q", RIGHT, ground_truth="4", data_source="chat", reward_url=url) == PAID
    function = trl.RewardFunction(url)
    assert function(["q", "q"], [RIGHT, RIGHT], ground_truth=["4", "4"], source=["gsm8k", 7]) == [1.0, None]
    sources = {"source": ["gsm8k", None], "data_source": [None, "chat"]}  # as Arrow has rows of two data sets
    assert function(["q", "q"], [RIGHT, RIGHT], ground_truth=["4", "4"], **sources) == [1.0, PAID]
    function._client.close()


@pytest.mark.usefixtures("blend")
def test_slime_s_metadata_go_to_the_route(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_URL", f"{server.url}/score/by-source")
    _shared.async_client.cache_clear()
    samples = [
        SimpleNamespace(prompt="q", response=RIGHT, label="4", metadata=metadata, index=0, group_index=0)
        for metadata in ({"source": "gsm8k"}, {"data_source": "chat"}, {"datasource": "nobody"}, None)
    ]
    paid = asyncio.run(slime.reward(SimpleNamespace(reward_key=None), samples))
    assert paid[:2] == [1.0, PAID]
    assert [getattr(sample, "remove_sample", False) for sample in samples] == [False, False, True, True]


@pytest.mark.parametrize("query", ["label_noise=1", "label_noise=1&alpha=0.5", "flip_prob=0&rpr_until_visit=5"])
def test_clean_labels_do_not_leak_through_what_verl_filters_by(server: RunningServer, query: str) -> None:
    """A right answer that its wrong label, or a warm-up, does not pay."""
    url, label = f"{server.url}/score/flip?{query}", {"ground_truth": "4", "wrong_ground_truth": "5"}
    paid = asyncio.run(verl.compute_score("math", "\\boxed{4}", label, {"raw_prompt": "q"}, url=url))
    told = openrlhf.reward_from(url, ["q \\boxed{4}"], ["q "], [label])
    assert (paid["score"], paid["acc"], paid["clean"]) == (told["rewards"][0], told["scores"][0], 1.0)
    assert paid["acc"] == 0.0
    _shared.sync_client(url, adapter="openrlhf").close()
    _shared.sync_client.cache_clear()


def test_trl_s_functions_of_components_share_a_request_and_add_up(server: RunningServer, blend: str) -> None:
    functions = trl.component_functions(blend, "right", "style")
    before = server.metric("reward_requests_total", route="/score/blend", dialect="native", status="200")
    logged: dict[str, float] = {}
    paid = [
        function(["q"] * 3, [RIGHT, WRONG, BARE], ground_truth=["4", "4", None], log_metric=logged.__setitem__)
        for function in functions
    ]
    assert paid == [[0.8, 0.0, None], [pytest.approx(0.02), 0.0, None]]
    after = server.metric("reward_requests_total", route="/score/blend", dialect="native", status="200")
    assert after == before + 1
    assert logged["blend/components/right"] == pytest.approx(0.4)
    functions[0](["q"], [RIGHT], ground_truth=["4"], visit=[1])
    functions[0](["q"], [RIGHT], ground_truth=["4"], visit=[2])  # another visit is another question
    assert server.metric("reward_requests_total", route="/score/blend", dialect="native", status="200") == after + 2
    functions[0]._whole._client.close()
    (wrong,) = trl.component_functions(blend, "wrong")
    with pytest.raises(BadConfiguration, match="has no component 'wrong'; it has right, style"):
        wrong(["q"], [RIGHT], ground_truth=["4"])
    wrong._whole._client.close()


def _tower(stories: int) -> str:
    """Mixes of one part, each the part of the next."""
    part = '[m{0}]\nbase = "mix"\n[m{0}.parts.x]\nreward = "{1}"\nweight = 1\n'
    return "".join(part.format(story, f"m{story - 1}" if story else "rpr") for story in reversed(range(stories)))


def test_a_catalog_that_is_wrong_is_refused_at_start(tmp_path: Path) -> None:
    from reward_server.catalog.catalog import Catalog
    from reward_server.catalog.tables import BadCatalog
    from reward_server.settings import Settings

    part = '[a]\nbase = "mix"\n[a.parts.x]\nreward = "{}"\nweight = {}\n'
    wrong = {
        part.format("a", 1): "a → a: a reward cannot be a part of itself",
        part.format("b", 1) + '[b]\nbase = "route"\n[b.routes]\ns = "a"\n': "a → b → a: a reward cannot be a part",
        part.format("nobody", 1): "no reward is called 'nobody'",
        part.format("verifier", '"much"'): "x: a weight is a number",
        part.format("verifier", "true"): "x: a weight is a number",
        part.format("verifier", 0): "every weight is 0",
        part.format("verifier", 1) + "flip_prob = 0.1\n": "x.flip_prob: no such parameter",
        part.format("verifier", 1) + "unscored = 'error'\n": "x.unscored: it does nothing for a part",
        part.format("verifier", 1).replace(".x]", ".reward]"): "a part needs a name",
        part.format("verifier", 1).replace(".x]", ".run]"): "a part needs a name",  # ?run=0.1 is the name of a run
        _tower(100): "is a part of a part, 16 times over",
        part.format("verifier", 1).replace("weight = 1", ""): "expected a table with `reward`, a name, and `weight`",
        '[a]\nbase = "mix"\n': "it has no parts",
        '[a]\nbase = "mix"\nparts = 3\n': "parts: expected a table, [NAME.parts]",
        '[a]\nbase = "route"\n[a.routes]\ns = 3\n': "expected the name of a reward",
        '[a]\nbase = "route"\n[a.routes]\n': "it has no parts",
        '[a]\nbase = "verifier"\n[a.parts.x]\nreward = "rpr"\n': "parts: no such parameter",
    }
    for text, complaint in wrong.items():
        (tmp_path / "rewards.toml").write_text(text)
        with pytest.raises(BadCatalog) as error:
            Catalog(Settings(config=tmp_path / "rewards.toml"))
        assert complaint in str(error.value), (text, str(error.value))


def test_parts_that_wait_for_others_are_asked_side_by_side(start_server: Starter, tmp_path: Path) -> None:
    """Each grader answers when the other has been asked too: one after the other, neither would."""
    both = Barrier(2, timeout=600)

    def graded(asked: Asked) -> Said:
        both.wait()
        return Said(body=json.dumps({"score": 1.0 if asked.target == "/one" else 0.5}).encode())

    with answering(graded) as url:
        checks = "".join(f'[checks.{name}]\nurl = "{url}/{name}"\ntimeout_s = 90\n' for name in ("one", "two"))
        config = tmp_path / "rewards.toml"
        config.write_text(
            f"{checks}[second]\nbase = 'verifier'\ncheck = 'two'\n[both]\nbase = 'mix'\n"
            "[both.parts.first]\nreward = 'verifier'\ncheck = 'one'\nweight = 1\n"
            "[both.parts.again]\nreward = 'verifier'\ncheck = 'one'\nweight = 1\n"
            "[both.parts.second]\nreward = 'second'\nweight = 2\n"
        )
        with start_server("--config", str(config)) as server:
            reply = server.post("/score/both", {"completions": [RIGHT], "ground_truths": ["4"]}).json()
    assert (reply["rewards"], reply["outcomes"]) == ([3.0], ["correct"])  # 1 + 1 + 2 · 0.5; `one` was asked once
    assert not both.broken and both.n_waiting == 0
