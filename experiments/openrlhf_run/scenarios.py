"""What is run: each scenario is a set of options for the launcher, and flags of OpenRLHF behind `--`."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.openrlhf_run.cluster import REPOSITORY

AGENT = REPOSITORY / "trainer_client" / "adapters" / "openrlhf_agent.py"
"""Episodes of one turn."""
PROMPTS, GROUP, MICRO_BATCH = 16, 8, 16
ROLLOUTS = PROMPTS * GROUP
"""Of a step."""
EVALUATED = 32
"""Questions of an evaluation, each answered `GROUP` times."""
SETTINGS = (
    "--prompts", str(PROMPTS), "--group-size", str(GROUP), "--micro-batch-size", str(MICRO_BATCH),
    "--prompt-length", "32", "--response-length", "40", "--learning-rate", "2e-4", "--save-steps", "-1",
)  # fmt: skip
ONE_CPU = ("--gpus", "1", "--no-colocate", "--vllm-engines", "1", "--vllm-memory", "0.3", "--no-packing")
"""Each role has a pretended GPU to itself: what shares one would have to sleep. Packing needs flash attention."""
CPU_FLAGS = (
    "--vllm.sync_backend", "gloo", "--vllm.enforce_eager", "--ds.attn_implementation", "eager",
)  # fmt: skip
EVALUATION_FLAGS = ("--eval.temperature", "1", "--eval.n_samples_per_prompt", str(GROUP))


@dataclass(frozen=True)
class Scenario:
    """`questions` × `epochs` / PROMPTS are its steps. `outage_s`: for how long the server is killed, after `killed_at`
    rollouts were paid; 0 is never. `zero_stage`: DeepSpeed's, of which 0 has no sleep."""

    name: str
    reward: tuple[str, ...]
    questions: int = 160
    epochs: int = 1
    options: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    evaluates_every: int = 0
    outage_s: float = 0
    killed_at: int = 3 * ROLLOUTS
    ends_well: bool = True
    zero_stage: int = 0

    @property
    def steps(self) -> int:
        """Without dynamic filtering, which drops questions."""
        return self.questions * self.epochs // PROMPTS

    @property
    def flip_prob(self) -> float:
        values = (float(text.partition("=")[2]) for text in self.reward if text.startswith("flip_prob="))
        return next(values, 0.0)

    @property
    def is_filtered(self) -> bool:
        return "--algo.dynamic_filtering_enable" in self.flags


def noisy(probability: float) -> tuple[str, ...]:
    return ("flip", f"flip_prob={probability:g}", "seed=17")


GAE = ("--estimator", "gae", "--critic-learning-rate", "1e-3", "--critic-warmup", "0")
"""20 steps are all that this run has."""
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("p=0", noisy(0), questions=320, epochs=3, evaluates_every=20),
        Scenario("p=0.4", noisy(0.4), questions=320, epochs=5, evaluates_every=20),
        Scenario("rpr", ("rpr", "phrases=math"), questions=320, epochs=2, evaluates_every=20),
        Scenario("plain URL", noisy(0.4), options=("--reward-client", "url")),
        Scenario("filtered", noisy(0.4), questions=320, flags=("--algo.dynamic_filtering_enable",)),
        Scenario("gae", noisy(0), questions=320, options=GAE),
        Scenario("agent", noisy(0.4), options=("--agent", str(AGENT))),
        Scenario("two engines, KL", noisy(0.4), options=("--vllm-engines", "2", "--kl-coef", "0.01")),
        Scenario("async", noisy(0.4), options=("--async",), zero_stage=2),
        Scenario("server killed", noisy(0.4), outage_s=20),
        Scenario("plain URL, killed", noisy(0.4), options=("--reward-client", "url"), outage_s=20, ends_well=False),
    )
}
SHORT = Scenario("short", noisy(0.4), questions=16, epochs=2, evaluates_every=2)
