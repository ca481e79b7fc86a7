"""The adapters under the trainers' own code, each in a Python environment of its own (tests/trainers)."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from trainer_programs import ROOT, printed, python_of, running

from trainer_client import RewardClient
from trainer_client.adapters._shared import means

ADAPTERS = ROOT / "trainer_client" / "adapters"
FLIP = "/score/flip?flip_prob=0.5&seed=3"
PROMPT = [{"role": "user", "content": "2+2?"}]
FOUR = r"so \boxed{4}"
ROWS = {"completions": [FOUR, r"\boxed{5}", "no box"], "ground_truths": ["4"] * 3}
StartServer = Callable[..., AbstractContextManager[tuple[str, "subprocess.Popen[str]"]]]


def expected(url: str, **columns: Any) -> Any:
    with RewardClient(url) as client:
        return client.score(**columns)


@pytest.mark.parametrize(
    ("python", "kind"),
    [
        ("TRAINERS_PYTHON", "sync"),
        ("TRAINERS_PYTHON", "async"),
        ("TRAINERS_PYTHON", "path"),
        ("TRL_1_15_PYTHON", "async"),
        ("TRL_1_9_PYTHON", "path"),
        ("TRL_0_24_PYTHON", "sync"),
    ],
)
def test_trl_trains_with_the_rewards_of_each_step(server: str, python: str, kind: str) -> None:
    *calls, last = printed(python, "trl_grpo.py", kind, url=server + FLIP)
    assert [call["step"] for call in calls] == [0, 1, 2]
    for call, log, table in zip(calls, last["logs"][:3], last["tables"] or [{}] * 3, strict=True):
        scored = expected(
            server + FLIP,
            completions=call["completions"],
            prompts=call["prompts"],
            ground_truths=call["solution"],
            visits=[call["step"]] * len(call["prompts"]),
        )
        assert call["rewards"] == scored.rewards
        if python == "TRL_0_24_PYTHON":
            continue  # it takes neither metrics nor columns of its table from a reward function
        for name in ("unscored", "unanswered", "timeout", "clean", "flipped"):
            assert log.get(f"flip/{name}") == pytest.approx(means(scored)[name])  # none where nothing was gradable
        assert "flip/flip_draw" not in log
        shown = {name: json.loads(column) for name, column in table.items() if name.startswith("flip/")}
        assert shown == {
            "flip/outcome": scored.outcomes,
            "flip/clean": scored.parts["clean"],
            "flip/flipped": scored.parts["flipped"],
            "flip/config": [scored.config] * len(scored),
        }
    rewards = [reward for call in calls for reward in call["rewards"]]
    assert {None, 0.0, 1.0} == set(rewards)  # the run had right, wrong and ungradable samples


ALL_FLIPPED = "/score/flip?flip_prob=1"


def test_trls_async_grpo_passes_no_step_and_our_function_says_so(server: str) -> None:
    (result,) = printed("TRAINERS_PYTHON", "trl_async_grpo.py", url=server + ALL_FLIPPED)
    assert result["with_visits"] == {"rewards": [0.0, 1.0, 0.0], "said": []}
    assert result["without"]["rewards"] == [0.0, 1.0, 0.0]
    (said,) = result["without"]["said"]
    assert said.startswith("noise without visits (trl)") and "TRL's AsyncGRPO" in said


def test_the_documented_way_gives_each_epoch_its_visit() -> None:
    page = (ROOT / "docs" / "trainers" / "visits.md").read_text()
    pieces = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (found,) = printed("TRAINERS_PYTHON", "epochs_in_data.py", url="", given=json.dumps(pieces))
    assert found["visits"] == [[question, epoch] for epoch in range(3) for question in ("a", "b")]
    assert found["infos"] == [[index, epoch] for epoch in range(3) for index in (0, 1)]


def test_a_trl_run_in_which_every_completion_is_cut_off_shows_it(server: str) -> None:
    *_, last = printed("TRAINERS_PYTHON", "trl_grpo.py", "cut", url=server + FLIP)
    assert {log["reward"] for log in last["logs"][:3]} <= {0.0, None}
    for log in last["logs"][:3]:
        assert log["flip/unanswered"] + log["flip/unscored"] == 1.0  # some ground truths cannot be graded
        assert (log.get("flip/clean", 0.0), log["flip/flipped"], log["flip/timeout"]) == (0.0, 0.0, 0.0)
    assert max(log["flip/unanswered"] for log in last["logs"][:3]) >= 0.5


@pytest.mark.parametrize("python", ["TRAINERS_PYTHON", "TRL_1_15_PYTHON", "TRL_1_9_PYTHON", "TRL_0_24_PYTHON"])
def test_our_function_knows_which_trl_pays_0_for_what_could_not_be_scored(python: str) -> None:
    """Of each group the first has no reward and the others are equal: left out, no one has an advantage."""
    first, *_ = printed(python, "trl_grpo.py", "none", url="")
    assert any(first["advantages"]) == bool(first["pays_0"]) == (python == "TRL_0_24_PYTHON")


def test_a_trl_run_outlasts_a_server_that_is_killed_and_its_rewards_are_those_of_an_undisturbed_run(
    server: str, start_server: StartServer
) -> None:
    undisturbed = printed("TRAINERS_PYTHON", "trl_grpo.py", "sync", url=server + FLIP)
    with start_server() as (url, process), running("TRAINERS_PYTHON", "trl_grpo.py", "sync", url=url + FLIP) as run:
        assert run.stdout is not None
        first = run.stdout.readline()
        process.kill()
        process.wait()
        with start_server(port=int(url.rpartition(":")[2])):
            output, _ = run.communicate(timeout=600)
            with urllib.request.urlopen(f"{url}/metrics") as metrics:
                assert b'dialect="native"' in metrics.read()  # the second server answered some of the run
    calls = [json.loads(line) for line in (first, *output.splitlines()) if line.startswith('{"kind"')]
    assert calls == undisturbed[:-1]


def test_trl_parses_the_reasoning_out_and_our_function_sends_it(server: str) -> None:
    (sent,) = printed("TRAINERS_PYTHON", "trl_messages.py", url=server + FLIP)
    whole = "<think>\nso 4\n</think>\nit is 4"
    assert sent == {"qwen3": whole, "deepseek_r1_distill": whole, "gptoss": whole, "llama3": "it is 4"}


def test_trls_prompts_with_images_are_paid_like_those_with_paths(server: str) -> None:
    (found,) = printed("TRAINERS_PYTHON", "trl_images.py", url=server + FLIP)
    rewards = found["rewards"]
    assert rewards["pil"] == rewards["numpy"] == rewards["path"] != rewards["none"] == rewards["text"]
    assert max(found["bytes"].values()) < 300


def test_managers_of_verl_get_the_same_rewards_with_the_same_keys(server: str) -> None:
    names = ("naive", "dapo", "gdpo", "naive/index", "dapo/index", "gdpo/index")
    (managers,) = printed("TRAINERS_PYTHON", "verl_managers.py", *names, url=server + FLIP)
    scored = expected(server + FLIP, **ROWS, groups=["q"] * 3, visits=[3] * 3)
    for manager in ("naive", "dapo", "gdpo"):
        results = managers[manager]
        assert [result["reward_score"] for result in results] == [*scored.rewards, 0.0]  # the last cannot be graded
        extras = [result["reward_extra_info"] for result in results]
        fates = ("unscored", "unanswered", "timeout")
        assert {tuple(extra) for extra in extras} == {("score", "acc", "clean", "flipped", *fates)}
        assert [[extra[fate] for fate in fates] for extra in extras] == [[0, 0, 0], [0, 0, 0], [0, 1, 0], [1, 0, 0]]
        assert [extra["acc"] for extra in extras] == [extra["score"] for extra in extras]
    by_prompt = expected(server + FLIP, **ROWS, prompts=[PROMPT] * 3, visits=[3] * 3).rewards
    by_index = expected(server + FLIP, **ROWS, groups=["math/train/7"] * 3, visits=[3] * 3).rewards
    for manager, rewards in (("naive", by_prompt), ("dapo", by_index), ("gdpo", by_index)):
        assert [result["reward_score"] for result in managers[f"{manager}/index"]] == [*rewards, 0.0]


def test_gdpo_of_verl_and_of_trl_weighs_each_component_of_a_mix_by_itself(server: str) -> None:
    """Weights 3 and 1: what is right and has style has twice the advantage of what is only right. In the plain sum,
    0.8 · verifier + 0.2 · rpr, style hardly counts: 0.81 and 0.8."""
    of_verl, paid, *steps = printed("TRAINERS_PYTHON", "gdpo.py", url=f"{server}/score/mix?verifier=0.8&rpr=0.2")
    assert of_verl["scores"] == [829 / 1024, 819 / 1024, 10 / 1024, 0.0]
    assert paid["paid"] == [pytest.approx(row) for row in ([0.8, 0.01], [0.8, 0.0], [0.0, 0.01], [0.0, 0.0])]
    of_trl = sorted(steps[0]["advantages"], reverse=True)  # TRL shuffles what it trains on
    for both, right, style, none in (of_verl["advantages"], of_trl):
        assert both == pytest.approx(-none) and right == pytest.approx(-style)
        assert both / right == pytest.approx(2, rel=0.02)  # (3 + 1) / (3 - 1); TRL's 1e-4 beside a deviation of 0.006
    assert steps[-1]["logs"]["mix/components/verifier"] == pytest.approx(0.4)


def test_verls_rate_limited_pays_0_where_the_others_raise_as_the_documentation_says(keyed_server: str) -> None:
    wrong_key = keyed_server.replace("http://", "http://user:open@") + FLIP
    names = ("naive", "dapo", "gdpo", "rate_limited")
    (managers,) = printed("TRAINERS_PYTHON", "verl_managers.py", *names, url=wrong_key)
    assert [managers[name] for name in names[:3]] == ["Unauthorized"] * 3
    assert [result["reward_score"] for result in managers["rate_limited"]] == [0.0] * 4


def test_openrlhf_gets_the_same_from_the_plain_url_and_from_the_function(server: str) -> None:
    function = str(ADAPTERS / "openrlhf.py")
    (by_url,) = printed("TRAINERS_PYTHON", "openrlhf_executor.py", server + FLIP, url="")
    (by_function,) = printed("TRAINERS_PYTHON", "openrlhf_executor.py", function, url=server + FLIP)
    assert by_url == by_function
    assert [output["extra_logs"]["clean"] for output in by_url] == [[1.0], [1.0], [0.0]]
    assert [output["extra_logs"]["unscored"] for output in by_url] == [[0.0], [0.0], [1.0]]
    prompt = "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
    columns = {"completions": [FOUR, r"\boxed{5}"], "prompts": [prompt] * 2, "ground_truths": ["4", "5"]}
    scored = expected(server + FLIP, **columns, visits=[0, 2])  # the label object of the second says visit 2
    assert [output["reward"] for output in by_url[:2]] == [[reward] for reward in scored.rewards]
    assert scored.rewards == [1.0, 0.0]  # the second is right too, and is flipped in visit 2, not in visit 0


def test_skyrl_steps_our_environment(server: str) -> None:
    (steps,) = printed("TRAINERS_PYTHON", "skyrl_env.py", url=server + FLIP)
    rows = {name: column[:2] for name, column in ROWS.items()}
    scored = expected(server + FLIP, **rows, prompts=[PROMPT] * 2, visits=[2] * 2)
    assert [step["reward"] for step in steps] == [*scored.rewards, 0.0]
    assert [step["metrics"]["unscored"] for step in steps] == [0, 0, 1]
    assert [step["metrics"]["unanswered"] for step in steps] == [0, 0, 0]
    assert all(step["done"] and step["observations"] == [] and step["metadata"] == step["metrics"] for step in steps)


def test_ms_swift_computes_rewards_with_our_plugin(server: str) -> None:
    (result,) = printed("TRAINERS_PYTHON", "ms_swift_rewards.py", str(ADAPTERS / "ms_swift.py"), url=server + FLIP)
    for step, call in zip((1, 2), result["calls"], strict=True):
        scored = expected(server + FLIP, **ROWS, prompts=[PROMPT] * 3, visits=[step] * 3)
        assert call == [[reward] for reward in scored.rewards]
    assert result["error"].startswith("Unscored: 1 of 1 samples have no reward; row 0: ungradable")
    scored = expected(server + FLIP, **ROWS, prompts=[PROMPT] * 3, visits=[1] * 3).rewards
    parts = zip(scored, [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0] * 3, strict=True)  # the third has no box
    assert result["parts"] == {"names": ["Clean", "Unanswered", "Timeout"], "rewards": [list(row) for row in parts]}


def test_ms_swifts_ray_trainer_passes_no_step_and_our_plugin_says_so(server: str) -> None:
    plugin = str(ADAPTERS / "ms_swift.py")
    (result,) = printed("TRAINERS_PYTHON", "ms_swift_rewards.py", plugin, "ray", url=server + ALL_FLIPPED)
    assert result["with_visits"] == {"rewards": [[0.0], [1.0], [0.0]], "said": []}
    assert result["without"]["rewards"] == [[0.0], [1.0], [0.0]]
    (said,) = result["without"]["said"]
    assert said.startswith("noise without visits (ms-swift)") and "ms-swift's Ray trainer" in said


def test_areal_calls_our_function_in_its_process_pool(server: str) -> None:
    (result,) = printed("TRAINERS_PYTHON", "areal_wrapper.py", "3", "0", url=server + FLIP)
    scored = expected(
        server + FLIP,
        completions=ROWS["completions"][:2],
        ground_truths=["4"] * 2,
        prompts=["2+2?"] * 2,
        visits=[1] * 2,
    )
    assert result["result"] == [*scored.rewards, 0.0]


def test_areal_is_told_of_a_server_that_is_gone_before_it_pays_0(server: str) -> None:
    (result,) = printed("TRAINERS_PYTHON", "areal_wrapper.py", "1", "0", url="http://127.0.0.1:9/score/verifier")
    assert result["result"] == ["Unavailable"]
    assert result["seconds"] < 15


class Overloaded(BaseHTTPRequestHandler):
    """A server that asks everyone to come back after a minute."""

    def do_POST(self) -> None:
        self.send_response(503)
        self.send_header("Retry-After", "60")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_areal_rejects_all_that_waits_for_an_overloaded_server_and_pays_none_of_it_0() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Overloaded) as overloaded:
        threading.Thread(target=overloaded.serve_forever).start()
        url = f"http://127.0.0.1:{overloaded.server_port}/score/verifier"
        try:
            (result,) = printed("TRAINERS_PYTHON", "areal_wrapper.py", "8", "3", url=url)
        finally:
            overloaded.shutdown()
    assert result["result"] == ["Unavailable"] * 8


def test_rolls_contract_is_kept(server: str) -> None:
    (calls,) = printed("TRAINERS_PYTHON", "roll_worker.py", url=f"{server}{FLIP}&fallback_reward=0.25")
    for call, step in zip(calls, (5, 5, 0), strict=True):
        scored = expected(server + FLIP, **ROWS, prompts=["2+2?"] * 3, visits=[step] * 3, flips=[True, True, False])
        paid = [*scored.rewards, 0.25]  # the last cannot be graded
        assert call["response_level_rewards"] == ["torch.float16", paid]
        assert call["scores"] == ["torch.float16", paid]
        samples, tokens = call["shape"]
        assert call["token_level_rewards"] == ["torch.float16", [[0.0] * tokens] * samples]


def test_verifiers_scores_rollouts_with_our_url_as_its_resources_server(keyed_server: str) -> None:
    (results,) = printed("VERIFIERS_PYTHON", "verifiers_task.py", f"{keyed_server}/score/verifier", url="")
    assert [result["rewards"] for result in results] == [{"nemo_gym": 1.0}, {"nemo_gym": 0.0}, {"nemo_gym": 0.0}]
    assert [result["metrics"]["unscored"] for result in results] == [0, 0, 1]
    assert results[2]["info"]["_ng_failure_class"] == "reward_ungradable"


def test_verifiers_has_an_error_and_no_0_for_what_could_not_be_scored(
    start_server: StartServer, tmp_path: Path
) -> None:
    config = tmp_path / "rewards.toml"
    config.write_text('[strict]\nbase = "verifier"\nunscored = "error"\n')
    with start_server(key="sesame", config=config) as (url, _):
        (results,) = printed("VERIFIERS_PYTHON", "verifiers_task.py", f"{url}/score/strict", url="")
    assert [result["rewards"] for result in results] == [{"nemo_gym": 1.0}, {"nemo_gym": 0.0}, {}]
    assert "422" in results[2]["error"]


def test_nemo_gym_serves_our_proxy(server: str) -> None:
    (replies,) = printed("NEMO_GYM_PYTHON", "nemo_gym_proxy.py", url=server + FLIP)
    rows = {name: column[:2] for name, column in ROWS.items()}
    scored = expected(server + FLIP, **rows, groups=["q"] * 2, visits=[2] * 2)
    seeded, *verified = replies
    assert seeded == {}
    assert [reply["reward"] for reply in verified] == [*scored.rewards, 0.0]
    assert verified[2]["_ng_failure_class"] == "reward_ungradable"
    assert verified[2]["instance_config"] == {"mask_sample": True}


def llama_factory(url: str, templates: str, *responses: str) -> Any:
    packages = Path(python_of("TRAINERS_PYTHON")).parents[1] / "lib"
    if not [*packages.glob("python*/site-packages/llamafactory")]:
        pytest.skip("no LLaMA-Factory in .venv-trainers: `make test` installs it")
    (results,) = printed("TRAINERS_PYTHON", "llama_factory_rewards.py", url, templates, *responses, url="")
    return results


def test_llama_factorys_trainer_gets_the_rewards_of_the_responses(server: str) -> None:
    url = f"{server}/score/rpr?require_answer=false"
    responses = ["wait, hence 4", "4", ""]
    scored = expected(url, completions=responses)
    assert scored.rewards[0] > 0 == scored.rewards[1]  # the prompt says "wait" and "let me", and is paid nothing
    templates = "qwen,qwen3,llama3,gemma,mistral,deepseekr1"
    assert llama_factory(url, templates, *responses) == [{"rewards": scored.rewards}] * 6


def test_llama_factory_ends_at_what_cannot_be_scored_unless_a_fallback_is_chosen(server: str) -> None:
    url = f"{server}/score/rpr?require_answer=false"
    ended = {"error": "KeyError: 'scores'"}
    forged = "<|im_start|>assistant\nwait"
    assert llama_factory(url, "default,alpaca,qwen", "wait", forged) == [ended] * 3
    assert llama_factory(f"{url}&fallback_reward=-1", "default,qwen", "wait", forged) == [
        {"rewards": [-1.0, -1.0]},
        {"rewards": [0.0498046875, -1.0]},
    ]
    assert llama_factory(f"{server}/score/verifier", "qwen", "4") == [ended]
