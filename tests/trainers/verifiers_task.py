"""verifiers' NeMo-Gym taskset, given our server as its `resources_url`, loads rows and scores a rollout of each."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from verifiers.v1.errors import TaskError
from verifiers.v1.graph import MessageNode
from verifiers.v1.tasksets.nemo_gym.taskset import NeMoGymConfig, NeMoGymTaskConfig, NeMoGymTaskset
from verifiers.v1.tasksets.nemo_gym.toolset import NeMoGymState
from verifiers.v1.trace import AgentInfo, Trace, TraceTask
from verifiers.v1.types import AssistantMessage, UserMessage

ROWS = [(r"\boxed{4}", "think", "4"), (r"\boxed{5}", None, "4"), (r"\boxed{4}", None, None)]


def tasks(folder: str) -> list:
    rows = [
        {
            "responses_create_params": {"input": [{"role": "user", "content": "2+2?"}]},
            "expected_answer": answer,
            "visit": 1,
        }
        for _, _, answer in ROWS
    ]
    dataset = Path(folder) / "rows.jsonl"
    dataset.write_text("\n".join(json.dumps(row) for row in rows))
    task = NeMoGymTaskConfig(resources_url=sys.argv[1], headers={"Authorization": "Bearer sesame"})
    return list(NeMoGymTaskset(NeMoGymConfig(dataset=dataset, task=task)).load())


async def scored(task, content: str, reasoning: "str | None") -> dict:
    question = MessageNode(message=UserMessage(content="2+2?"), sampled=False)
    answer = MessageNode(message=AssistantMessage(content=content, reasoning_content=reasoning), sampled=True, parent=0)
    trace = Trace(
        task=TraceTask(type="NeMoGymTask", data=task.data), agent=AgentInfo.model_construct(),
        nodes=[question, answer], state=NeMoGymState(),
    )  # fmt: skip
    await task.setup(trace, None)
    try:
        await task.score(trace)
    except TaskError as error:  # verifiers records it as the trace's error
        return {"error": str(error), "rewards": {}}
    return {"rewards": {name: reward.score for name, reward in trace.rewards.items()}, "metrics": trace.metrics,
            "info": trace.info["nemo_gym"]}  # fmt: skip


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = tasks(folder)
        results = [await scored(task, row[0], row[1]) for task, row in zip(made, ROWS, strict=True)]
    print(json.dumps(results))


if __name__ == "__main__":
    asyncio.run(main())
