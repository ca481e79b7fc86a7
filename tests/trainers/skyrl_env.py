"""skyrl-gym makes, starts and steps our environment, as SkyRL's generator does. Prints JSON."""

import json

import skyrl_gym
from skyrl_gym.envs import register

ROWS = [(r"so \boxed{4}", "4"), (r"\boxed{5}", "4"), (r"\boxed{4}", None)]


def main() -> None:
    register(id="reward_server", entry_point="trainer_client.adapters.skyrl:RewardServerEnv")
    results = []
    for completion, ground_truth in ROWS:
        extras = {"reward_spec": {"method": "rule", "ground_truth": ground_truth}, "visit": 2}
        environment = skyrl_gym.make("reward_server", env_config={}, extras=extras)
        environment.init([{"role": "user", "content": "2+2?"}])
        step = environment.step(completion)
        results.append({**step, "metrics": environment.get_metrics()})
        environment.close()
    print(json.dumps(results))


if __name__ == "__main__":
    main()
