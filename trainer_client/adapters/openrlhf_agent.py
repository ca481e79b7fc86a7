"""OpenRLHF's agents. This file is one, of a single turn; REWARD_URL is set for Ray's workers:

    export REWARD_URL='http://127.0.0.1:8000/score/flip?flip_prob=0.4'
    --train.agent_func_path "$(python -c 'import trainer_client.adapters.openrlhf_agent as m; print(m.__file__)')"

An environment of several turns, in a file of your own that the flag names:

    from trainer_client.adapters.openrlhf_agent import Environment, RewardServerExecutor, turn

    class Calculator(Environment):
        async def step(self, states, **_):
            call = states["action_text"].partition("<tool>")[2]
            return turn(feedback=f"<result>{calculate(call)}</result>") if call else turn(done=True)

    class AgentExecutor(RewardServerExecutor):
        environment = Calculator

When the episode has ended, also one that ran out of tokens, the server is asked for the reward of its last turn. What
the environment's own steps paid is added to it. The prompt is the whole conversation before that turn, and the group of
the noise is the question: OpenRLHF's prompt, unless the label object names a group. Visits and `flip` travel in label
objects. What could not be scored is paid `fallback_reward` and `extra_logs.unscored` is 1, or with `on_unscored =
"raise"` in the class it ends the run, as a server does that is gone for `deadline_s`.
"""

from __future__ import annotations

from typing import Any

from openrlhf.utils.agent import AgentInstanceBase, MultiTurnAgentExecutor

from trainer_client._messages import label_texts_only
from trainer_client.adapters._shared import OnUnscored, async_client, numbers, paid, shown


def turn(feedback: str | None = None, *, done: bool = False, reward: float = 0.0) -> dict[str, Any]:
    """What `step` returns: `feedback` is the text that the policy reads next, in its chat template."""
    import torch

    return {"rewards": torch.tensor(reward), "environment_feedback": feedback or "", "done": done}


class Environment(AgentInstanceBase):  # type: ignore[misc, unused-ignore]  # untyped where OpenRLHF is installed
    """One turn. Subclass it for more: `step(states)` is given `action_text`, `observation_text` and `label`."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    async def step(self, state_dict: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Whatever was written is the last turn."""
        return turn(done=True)


class RewardServerExecutor(MultiTurnAgentExecutor):  # type: ignore[misc, unused-ignore]  # as above
    """Runs an environment's episode, and pays its last turn."""

    environment: type[AgentInstanceBase] = Environment
    """Made anew for each episode; any of OpenRLHF's instances does."""
    url: str | None = None
    """By default REWARD_URL."""
    on_unscored: OnUnscored = "fallback"
    deadline_s: float = 600.0

    def __init__(self) -> None:
        super().__init__(self.environment)

    async def execute(
        self,
        prompt: str,
        label: Any,
        sampling_params: Any,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Any,
        images: Any = None,
    ) -> dict[str, Any]:
        """The episode with `reward`, `scores` (what may be filtered by) and the parts in `extra_logs`."""
        episode: dict[str, Any] = await super().execute(
            prompt, label, sampling_params, max_length, hf_tokenizer, llm_engine, images
        )
        conversation, completion = _last_turn(prompt, episode, hf_tokenizer)
        client = async_client(self.url, self.deadline_s)
        rewards = await client.score(
            [completion], prompts=[conversation], groups=[prompt], ground_truths=[label_texts_only(label)]
        )
        (reward,) = paid(rewards, client.url.fallback_reward, self.on_unscored)
        logs = {**(episode["extra_logs"] or {}), **numbers(rewards, 0)}
        return {
            **episode,
            "reward": episode["reward"] + reward,
            "scores": shown(rewards, 0, reward),
            "extra_logs": logs,
        }


class AgentExecutor(RewardServerExecutor):
    """What OpenRLHF looks for in the file."""


def _last_turn(prompt: str, episode: dict[str, Any], tokenizer: Any) -> tuple[str, str]:
    """The conversation before the last turn, and what the policy wrote in it: nothing where it had no room to."""
    tokens, ranges = episode["observation_tokens"], episode["action_ranges"]
    if not ranges:
        return prompt, ""

    def text(start: int, end: int) -> str:
        return str(tokenizer.decode(tokens[start:end], skip_special_tokens=False))

    (first, _), (start, end) = ranges[0], ranges[-1]
    shown_first = text(0, first)
    is_prompt = _ink(prompt).endswith(_ink(shown_first))  # decoding changes white space, and a long prompt is cut
    return (prompt if is_prompt else shown_first) + text(first, start), text(start, end)


def _ink(text: str) -> str:
    return "".join(text.split())
