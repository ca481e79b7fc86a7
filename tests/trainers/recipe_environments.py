"""The snippets of docs/trainers/environments.md, each with its framework, or a stand-in where that does not install.

Arguments: the name of the section, and a file with its snippet. Prints the rewards of a right and of a wrong answer.
"""

import asyncio
import json
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

from stubs import stub

QUESTION, RIGHT, WRONG = "2+2?", r"\boxed{4}", r"\boxed{5}"


async def trl(made: dict) -> list:
    from transformers.utils import get_json_schema

    paid = []
    for answer in ("4", "5"):
        environment = made["Question"]()
        assert environment.reset(prompt=QUESTION, answer="4") is None
        (tool,) = (
            name for name in dir(environment) if not name.startswith("_") and name not in ("reset", "get_reward")
        )
        schema = get_json_schema(getattr(environment, tool))
        assert schema["function"]["parameters"]["required"] == ["answer"]
        assert isinstance(environment.submit(answer=answer), str)
        paid.append(await environment.get_reward())
    return paid


def one_step_of_grpo(environment: type) -> dict:
    """What TRL logs of a step whose only reward is the environment's; the random policy calls no tool."""
    from datasets import Dataset
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from trl import GRPOConfig, GRPOTrainer
    from trl.chat_template_utils import qwen3_chat_template
    from trl_grpo import tokenizer

    words = tokenizer("sync")
    words.chat_template = qwen3_chat_template
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = Qwen2ForCausalLM(
        Qwen2Config(vocab_size=8, num_key_value_heads=2, pad_token_id=0, eos_token_id=1, bos_token_id=None, **sizes)
    )
    rows = Dataset.from_dict({"prompt": [[{"role": "user", "content": "two"}]] * 4, "answer": ["4"] * 4})
    with tempfile.TemporaryDirectory() as folder:
        config = GRPOConfig(
            folder, use_cpu=True, bf16=False, max_steps=1, per_device_train_batch_size=4, num_generations=4,
            max_completion_length=6, logging_steps=1, report_to=[], save_strategy="no",
        )  # fmt: skip
        trainer = GRPOTrainer(model, None, config, rows, processing_class=words, environment_factory=environment)
        trainer.train()
    return trainer.state.log_history[0]


async def openenv(made: dict) -> list:
    environment = made["Question"]()
    paid = []
    for text in (RIGHT, WRONG):
        seen = environment.reset(question=QUESTION, answer="4")
        assert (seen.done, seen.reward) == (False, None)
        seen = environment.step(made["Answer"](text=text))
        assert seen.done
        paid.append(seen.reward)
    return paid


class Renderer:
    """One token a letter."""

    def build_generation_prompt(self, messages: list) -> Any:
        import tinker

        return tinker.ModelInput.from_ints([ord(letter) for letter in messages[-1]["content"]])

    def get_stop_sequences(self) -> list:
        return ["<end>"]

    def parse_response(self, action: list) -> tuple:
        return {"role": "assistant", "content": "".join(map(chr, action))}, True


async def tinker_cookbook(made: dict) -> list:
    paid = []
    for text in (RIGHT, WRONG):
        environment = made["Question"](Renderer(), QUESTION, "4")
        observation, stop = await environment.initial_observation()
        assert (observation.length, stop) == (len(QUESTION), ["<end>"])
        result = await environment.step([ord(letter) for letter in text])
        assert result.episode_done
        assert all(isinstance(value, float) for value in result.metrics.values())
        paid.append(result.reward)
    return paid


async def art(made: dict) -> list:
    paid = []
    for text in (RIGHT, WRONG):
        messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": text}]
        trajectory = await made["paid"](made["art"].Trajectory(messages_and_choices=messages), "4")
        assert {"clean", "flipped"} <= set(trajectory.metrics)
        paid.append(trajectory.reward)
    return paid


async def agent_lightning(made: dict) -> list:
    for text in (RIGHT, WRONG):
        await made["pay"](QUESTION, text, "4")
    assert made["Strict"]("port", store=None).reward_fillna_value is None  # its daemon raises then, where 0.0 is paid
    return made["agl"].emitted


async def rllm(made: dict) -> list:
    actions = [types.SimpleNamespace(action=RIGHT), WRONG]  # its workflows hand over an Action, others the text
    outputs = [made["reward_fn"]({"question": QUESTION, "ground_truth": "4"}, action) for action in actions]
    assert all("clean" in output.metadata for output in outputs)
    return [output.reward for output in outputs]


def stand_ins() -> None:
    """Agent Lightning and rLLM, as far as the snippets call them."""
    lightning: Any = types.ModuleType("agentlightning")
    lightning.emitted = []

    def emit_reward(reward: float) -> None:
        if not isinstance(reward, float):
            raise TypeError(reward)
        lightning.emitted.append(reward)

    class AgentModeDaemon:
        def __init__(self, port: str, store: object, reward_fillna_value: float | None = 0.0) -> None:
            self.reward_fillna_value = reward_fillna_value

    lightning.emit_reward = emit_reward
    daemon: Any = types.ModuleType("agentlightning.verl.daemon")
    daemon.AgentModeDaemon = AgentModeDaemon
    types_of_rewards: Any = types.ModuleType("rllm.rewards.reward_types")
    types_of_rewards.RewardOutput = types.SimpleNamespace
    sys.modules |= {"agentlightning": lightning, "agentlightning.verl.daemon": daemon}
    sys.modules |= {"rllm.rewards.reward_types": types_of_rewards}
    sys.modules |= {name: types.ModuleType(name) for name in ("rllm", "rllm.rewards", "agentlightning.verl")}


def main() -> None:
    stub("fastapi", "fastmcp", "mcp", "dotenv", "polars", "litellm")
    stand_ins()
    made: dict = {"__name__": "snippet"}
    exec(compile(Path(sys.argv[2]).read_text(), "snippet", "exec"), made)
    if sys.argv[1] == "trl":
        assert 0.0 <= one_step_of_grpo(made["Question"])["rewards/Question/mean"] <= 1.0
    print(json.dumps({"rewards": asyncio.run(globals()[sys.argv[1]](made))}))


if __name__ == "__main__":
    main()
