"""Runs in .venv-trainers: a trainer's own math reward function in its process, over (completion, ground truth) pairs.

`trl`: `accuracy_reward` with the ground truth in a box. `openrlhf`: as its example reward function for math, the last
box graded by its `grade_answer`. Pairs come as JSON on stdin; printed are the rewards and this process's CPU and wall
seconds for them, imports and a first call apart.
"""

import json
import sys
import time


def trl(pairs):
    from trl.rewards import accuracy_reward

    completions = [[{"role": "assistant", "content": completion}] for completion, _ in pairs]
    return accuracy_reward(completions, [f"\\boxed{{{truth}}}" for _, truth in pairs])


def openrlhf(pairs):
    from openrlhf.utils import extract_boxed_answer, grade_answer

    def reward(completion, truth):
        answer = extract_boxed_answer(completion)
        return float(answer is not None and grade_answer(answer, truth))

    return [reward(*pair) for pair in pairs]


if __name__ == "__main__":
    function = {"trl": trl, "openrlhf": openrlhf}[sys.argv[1]]
    pairs = json.load(sys.stdin)
    function([("\\boxed{1}", "1"), ("\\boxed{x+1}", "1+x")])
    cpu, wall = time.process_time(), time.perf_counter()
    rewards = function(pairs)
    cost = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    sys.stdout.write("\n" + json.dumps(cost | {"rewards": rewards}))
