"""What is wrong with a run before it costs a GPU hour, and what of it does nothing or harm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainer_client import BadConfiguration, RewardClient
from trainer_client.openrlhf_grpo import mixture
from trainer_client.openrlhf_grpo.options import Options
from trainer_client.openrlhf_grpo.reward_file import agent_problems

GROUP_ESTIMATORS = ("group_norm", "dr_grpo", "rloo", "reinforce_baseline")
"""With one rollout a question their advantages are all 0."""
WHITENING_ESTIMATORS = ("reinforce_baseline", "reinforce", "gae")
"""These divide by the batch's standard deviation unless OpenRLHF is told not to; group_norm always by the group's."""
NOT_ASKED_FOR = ("hash", "turn")
"""Places of an answer that our templates do not ask for, so every rollout would earn 0."""
BUILT_IN_CHECKS = ("math", "string")
"""Those of which a ground truth in a box is its own right answer. A server may have others, of its owner's."""
NO_WHITENING = "--algo.advantage.no_std_norm"


def problems(options: Options) -> list[str]:
    """What cannot run, in words; OpenRLHF would say so after it has loaded the models, or not at all."""
    counts = (options.prompts, options.group_size, options.epochs, options.micro_batch_size, options.training_gpus)
    lengths = (options.tensor_parallel, options.prompt_length, options.response_length, options.rollouts_per_update)
    if min(*counts, *lengths) < 1:
        return ["counts and lengths must be at least 1"]
    found = (*_path_problems(options), *_size_problems(options), *_image_problems(options))
    return [text for is_wrong, text in found if is_wrong] + [*mixture.problems(options), *agent_problems(options)]


def _path_problems(options: Options) -> Iterator[tuple[bool, str]]:
    yield "," in options.server_url, "--server-url contains a comma, which separates URLs for OpenRLHF"
    yield bool({",", "@"} & set(str(options.output))), "--output contains , or @, which have a meaning for OpenRLHF"


def _size_problems(options: Options) -> Iterator[tuple[bool, str]]:
    gpus, update = options.training_gpus, options.rollouts_per_update
    yield (
        options.estimator in GROUP_ESTIMATORS and options.group_size < 2,
        f"--estimator {options.estimator} needs --group-size of at least 2",
    )
    yield (
        options.rollouts % update != 0,
        f"a rollout batch of {options.rollouts} is no multiple of --train-batch-size {update}",
    )
    yield (
        update % (options.micro_batch_size * gpus) != 0,
        f"an update of {update} rollouts is no multiple of --micro-batch-size {options.micro_batch_size} x {gpus} GPUs",
    )
    yield (
        options.is_colocated and options.engines * options.tensor_parallel != gpus,
        f"{options.engines} vLLM engines of {options.tensor_parallel} GPUs do not fill the {gpus} GPUs that they share",
    )
    yield (
        not options.is_colocated and not options.vllm_engines,
        f"{'--async' if options.async_ else '--no-colocate'} needs --vllm-engines: vLLM's GPUs come beside the {gpus} "
        "that train (of 8: --gpus 4 --vllm-engines 4)",
    )


def _image_problems(options: Options) -> Iterator[tuple[bool, str]]:
    """What OpenRLHF cannot do with images."""
    yield (
        bool(options.max_images) and options.template == "paper",
        "--max-images needs --template chat or chat-user: a policy that sees images has a template that places them",
    )
    yield (
        bool(options.max_images) and options.estimator == "gae",
        "--estimator gae has a critic, which OpenRLHF cannot show images to",
    )


def explained(client: RewardClient) -> dict[str, Any]:
    """What the server says of the reward: `parameters` as it understands them, `config` and `version`. Raises
    BadConfiguration while the server is not ready, RequestRefused for an unknown reward or parameter."""
    ready = client.ready()
    if not ready:
        raise BadConfiguration(f"the server at {client.url.root} is not ready: {ready.reason}")
    client.score([])
    label = {"ground_truth": "1", "wrong_ground_truth": "2"}  # label_noise asks for both
    return client.explain("x", prompt="x", ground_truth=label, group="x")


def reward_problems(options: Options, parameters: Mapping[str, Any]) -> list[str]:
    """As `problems`, of what only the server knows: the reward's parameters."""
    if is_verified(parameters) and not options.ground_truth:
        return ["this reward compares with a ground truth, so --no-ground-truth cannot be"]
    read = [single for single in singles(parameters) if single.get("check", "math") in BUILT_IN_CHECKS]
    places = {str(single.get("answer")) for single in read} & set(NOT_ASKED_FOR)
    return [
        f"answer={place}: our prompts ask for an answer in \\boxed within <answer>, which box, tags and auto read"
        for place in sorted(places)
    ]


def warnings(options: Options, parameters: Mapping[str, Any]) -> list[str]:
    """Combinations that do nothing, or harm."""
    return [text for is_so, text in _warnings(options, parameters) if is_so]


def _warnings(options: Options, parameters: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    yield (
        any(single.get("correction") == "backward" for single in singles(parameters)) and _is_scaling(options),
        f"correction=backward does nothing under --estimator {options.estimator}, which divides by a standard "
        "deviation and so undoes it; dr_grpo and rloo keep it",
    )
    yield (
        any(map(_is_persistent, singles(parameters))) and options.epochs > 1 and not options.visits,
        f"{options.epochs} epochs without visits: a question that noise flips is flipped in every epoch, which is a "
        "wrong label, and training learns it",
    )
    yield (
        bool(options.eval_dataset) and not _is_share(parameters),
        "evaluation averages this reward, which is not the share of right answers",
    )


def _is_scaling(options: Options) -> bool:
    if NO_WHITENING in options.extra:
        return options.estimator == "group_norm"
    return options.estimator in ("group_norm", *WHITENING_ESTIMATORS)


def _is_share(parameters: Mapping[str, Any]) -> bool:
    """Whether evaluation rows are paid 1 for a right answer and else 0: rm_sim pays what its judge says, and a
    mix what its parts add up to."""
    if "routes" in parameters:
        return all(map(_is_share, parameters["routes"].values()))
    return "check" in parameters and not parameters.get("alpha") and "accuracy" not in parameters


def is_verified(parameters: Mapping[str, Any]) -> bool:
    """Whether the reward, or one that it is made of, compares answers with ground truths: verifier, flip, rm_sim."""
    return any("check" in single for single in singles(parameters))


def goes_by_source(parameters: Mapping[str, Any]) -> bool:
    """Whether the reward is a route, or made of one: the labels then name the data set."""
    return "routes" in parameters or any(map(goes_by_source, parameters.get("parts", {}).values()))


def makes_labels_wrong(parameters: Mapping[str, Any]) -> bool:
    """Whether each question needs a wrong ground truth, too."""
    return any(single.get("label_noise") for single in singles(parameters))


def singles(parameters: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parameters of each reward that is not made of others: of itself, or of its parts."""
    parts = parameters.get("parts", parameters.get("routes"))
    return [parameters] if parts is None else [single for part in parts.values() for single in singles(part)]


def is_built_in(parameters: Mapping[str, Any]) -> bool:
    """Whether a ground truth in a box is its own right answer for every reward that compares with it: nobody here knows
    that of a check of one's own."""
    checks = [single["check"] for single in singles(parameters) if "check" in single]
    return bool(checks) and all(check in BUILT_IN_CHECKS for check in checks)


def _is_persistent(parameters: Mapping[str, Any]) -> bool:
    """Whether noise is drawn for a question and its visit only."""
    is_noisy = any(parameters.get(name) for name in ("flip_prob", "false_positive_prob", "false_negative_prob"))
    return is_noisy and parameters.get("flip_scope") == "question"
