"""Keeps what OpenRLHF trains on: a line a rollout, in `rollouts.jsonl` beside the model's folder.

OpenRLHF's log has means only. This writes each reward as the trainer holds it when it has made the experience, with
the text that its executor sent for it: all tokens decoded, special ones too.
"""

import json
from pathlib import Path


def lines(trainer, experiences, step):
    for experience in experiences:
        numbers = {name: values.flatten().tolist() for name, values in experience.info.items()}
        for row, ids in enumerate(experience.sequences):
            query = trainer.tokenizer.decode(ids[experience.attention_mask[row].bool()], skip_special_tokens=False)
            logs = {name: values[row] for name, values in numbers.items()}
            yield json.dumps({"step": step, "query": query, "label": experience.labels[row], "logs": logs}) + "\n"


def keeping(compute_rollout_stats):
    """OpenRLHF's method of this name, called once a step with all experiences of the step."""

    def keep(trainer, experiences):
        trainer.steps_kept = getattr(trainer, "steps_kept", 0) + 1
        with (Path(trainer.args.ckpt.output_dir).parent / "rollouts.jsonl").open("a") as file:
            file.writelines(lines(trainer, experiences, trainer.steps_kept))
        return compute_rollout_stats(trainer, experiences)

    return keep
