"""verifiers' own classes with the part of prime-rl's TOML that is theirs. Argument: the file. Prints JSON."""

import json
import sys
from pathlib import Path

import tomllib
import verifiers.v1 as vf


def main() -> None:
    (source,) = tomllib.loads(Path(sys.argv[1]).read_text())["orchestrator"]["train"]["source"]
    env = vf.resolve_env_field({"env": source["env"]}, vf.SingleAgentEnvConfig)["env"]
    env = env if isinstance(env, vf.EnvConfig) else vf.SingleAgentEnvConfig.model_validate(env)
    task = env.taskset.task.model_dump(include={"resources_url", "headers", "request_timeout"})
    print(json.dumps({"class": type(env.taskset).__name__, "task": task}))


if __name__ == "__main__":
    main()
