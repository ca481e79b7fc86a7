"""OpenRLHF loads an agent file as its engine does, runs episodes with a canned policy, and makes experiences of them.

Its own code: the loader, the multi-turn executor, the making of experiences. Argument: the file. Reads episodes, a JSON
list of {"prompt", "label", "turns", "max_length"}, all run at once. Prints what the executor returned for each, as it
is logged, or the error.
"""

import asyncio
import json
import sys
from types import SimpleNamespace

import torch
from stand_ins import provide, real_folder

provide("vllm", SamplingParams=None)
provide("vllm.inputs", TokensPrompt=None)
provide("vllm.utils", random_uuid=None)
provide("openrlhf.utils.deepspeed", DeepspeedStrategy=None)
provide("openrlhf.trainer.ray", __path__=real_folder("openrlhf.trainer.ray"))
provide("openrlhf.trainer.ray.launcher", RayActorGroup=None)
provide("openrlhf.trainer.ppo_utils.experience_maker", RemoteExperienceMaker=None)

from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator  # noqa: E402 - after the stand-ins
from openrlhf.trainer.ray.vllm_engine import _load_agent_executor  # noqa: E402 - after the stand-ins


class Tokenizer:
    """A token is a character. Decoding loses the blank before a question mark, as Llama 3's does."""

    def __call__(self, text, add_special_tokens=False, return_tensors="pt"):
        return {"input_ids": torch.tensor([[ord(character) for character in text]], dtype=torch.long)}

    def decode(self, ids, skip_special_tokens=False):
        return "".join(map(chr, ids)).replace(" ?", "?")


class Engine:
    """Says its lines, each within the room that is left."""

    def __init__(self, turns):
        self.turns = iter(turns)

    async def generate(self, prompt_ids, params, multi_modal_data=None):
        await asyncio.sleep(0)  # the episodes are interleaved
        ids = [ord(character) for character in next(self.turns)][: params.max_tokens]
        return SimpleNamespace(
            outputs=[SimpleNamespace(token_ids=ids, text="".join(map(chr, ids)), finish_reason="stop", logprobs=None)]
        )


async def main(agent: str) -> None:
    executor = _load_agent_executor(agent)
    calls = [
        executor.execute(
            prompt=episode["prompt"],
            label=episode["label"],
            sampling_params=SimpleNamespace(max_tokens=8, logprobs=None),
            max_length=episode.get("max_length", 4096),
            hf_tokenizer=Tokenizer(),
            llm_engine=Engine(episode["turns"]),
            images=None,
        )
        for episode in json.load(sys.stdin)
    ]
    outputs = await asyncio.gather(*calls, return_exceptions=True)
    failed = [output for output in outputs if isinstance(output, BaseException)]
    if failed:
        print(json.dumps([{"error": f"{type(error).__name__}: {error}"} for error in failed]))
        return
    generator = SamplesGenerator.__new__(SamplesGenerator)
    experiences = [generator._process_response_into_experience(output, max_len=4096) for output in outputs]
    together = type(experiences[0]).concat_experiences(experiences, 0)
    print(
        json.dumps(
            [
                {
                    "reward": together.rewards[row].item(),
                    "scores": together.scores[row].item(),
                    "turns": len(output["action_ranges"]),
                    "extra_logs": {name: together.info[name][row].item() for name in output["extra_logs"]},
                }
                for row, output in enumerate(outputs)
            ]
        )
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
