"""Oumi's own registry loads the file of its recipe. Arguments: that file's folder and the name. Prints JSON."""

import json
import sys
from pathlib import Path

from oumi.core.registry.registry import REGISTRY, _load_user_requirements

PROMPTS, COMPLETIONS = ["2+2?", "2+2?"], [r"\boxed{4}", r"\boxed{5}"]


def main() -> None:
    folder, name = Path(sys.argv[1]), sys.argv[2]
    extra = folder / "extra.txt"
    extra.write_text(f"{folder / 'oumi_rewards.py'}\n")
    REGISTRY._initialized = True  # Oumi's own models and data sets need more packages
    _load_user_requirements(str(extra))
    function = REGISTRY.get_reward_function(name)
    result = {"rewards": function(prompts=PROMPTS, completions=COMPLETIONS, answer=["4", "4"])}
    try:
        function(prompts=PROMPTS, completions=COMPLETIONS, answer=["4", None])
    except ValueError as error:
        result["error"] = type(error).__name__
    print(json.dumps(result))


if __name__ == "__main__":
    main()
