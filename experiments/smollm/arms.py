"""What is compared: the six arms of the paper's findings, one seed each."""

from __future__ import annotations

from experiments.lm.arms import Arm

PHRASES = "phrases=math&saturation=6"
"""The examples' form has two phrases. 32 tokens have room for about eight, so six earn the whole RPR."""

SMOLLM_ARMS = {
    arm.name: arm
    for arm in (
        Arm(name, path, seeds=(0,), questions=16, group=4)
        for name, path in {
            "p=0": "/score/flip?flip_prob=0&seed={seed}",
            "p=0.4": "/score/flip?flip_prob=0.4&seed={seed}",
            "p=0.5": "/score/flip?flip_prob=0.5&seed={seed}",
            "RPR alone": f"/score/rpr?{PHRASES}",
            "65 %": f"/score/rm_sim?accuracy=0.65&alpha=0&{PHRASES}&seed={{seed}}",
            "65 % + RPR": f"/score/rm_sim?accuracy=0.65&alpha=0.1&{PHRASES}&seed={{seed}}",
        }.items()
    )
}
