"""NeMo-Gym's own start of a server's folder, and its own check of a configuration. Argument: the folder."""

import json
import re
import subprocess
import sys
from pathlib import Path

from nemo_gym import global_config as keys
from nemo_gym.cli import setup_command
from nemo_gym.config_types import is_server_ref
from omegaconf import OmegaConf

SETTINGS = OmegaConf.create(
    {
        keys.HEAD_SERVER_DEPS_KEY_NAME: [],
        keys.UV_VENV_DIR_KEY_NAME: str(setup_command.PARENT_DIR),
        keys.PYTHON_VERSION_KEY_NAME: "3.12",
        keys.SKIP_VENV_IF_PRESENT_KEY_NAME: False,
    }
)
MODEL = {"policy_model": {"responses_api_models": {"vllm_model": {"entrypoint": "app.py"}}}}


def installed(folder: Path) -> list[str]:
    """What the command that Gym would run hands to its installer."""
    command = setup_command.setup_env_command(folder, SETTINGS, "reward_server")
    listed = re.search(r"\(echo '[^|]*\) \|", command)[0].removesuffix("|")
    run = subprocess.run(["bash", "-c", listed], cwd=folder, capture_output=True, text=True, check=True)
    return run.stdout.split("\n")[:-1]


def references(config: Path) -> list[dict]:
    """The servers that the configuration names, all of which Gym found in it."""
    parser = keys.GlobalConfigDictParser()
    merged = OmegaConf.merge(OmegaConf.load(config), OmegaConf.create(MODEL))
    assert parser.detect_and_report_almost_servers(merged) == []
    servers = parser.filter_for_server_instance_configs(merged)
    parser.validate_and_populate_defaults(servers, "127.0.0.1", 20000, 30000)
    found = [is_server_ref(value) for server in servers for value in server.get_inner_run_server_config_dict().values()]
    return [reference.model_dump() for reference in found if reference and reference.type == "resources_servers"]


def main() -> None:
    root = Path(sys.argv[1])
    folder = root / "resources_servers" / "reward_server"
    result = {"installed": installed(folder), "references": references(root / "config.yaml")}
    (folder / "requirements.txt").unlink()
    try:
        installed(folder)
    except RuntimeError as error:
        result["without"] = str(error)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
