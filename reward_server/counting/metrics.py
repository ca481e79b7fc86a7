"""Every metric of the server, once; one registry an app, so that two apps in one process share nothing.

Labels come from closed sets: rewards that are configured, outcomes, stages, tiers, routes; never a prompt or a path.
What counts samples also has `config` and `rows`: `sample_metrics.py`.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from platform import python_version

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from reward_server import __version__
from reward_server.catalog.catalog import GRADERS
from reward_server.counting.opinions import tabled
from reward_server.counting.repaired import count_repaired
from reward_server.counting.sample_metrics import SampleMetrics
from reward_server.errors import DeadlineExceeded, Draining, InternalError, Overloaded, Unavailable
from reward_server.kit.counters import Counter, Histogram, Info
from reward_server.measuring.tables import Tables
from reward_server.rewards.found import Derivation, leaves_of
from reward_server.rewards.plan import Plan
from reward_server.types import BatchReport, Sample, Verdict

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 180)
MODEL_SCORES = (
    -30,
    -20,
    -10,
    -5,
    -2,
    -1,
    -0.5,
    0,
    0.1,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.8,
    0.9,
    1,
    1.5,
    2,
    5,
    10,
    20,
    30,
)
"""Fine where models trained on 0 and 1 score, coarse as far as Bradley-Terry models go."""

STAGES = ("parse", "extract", "judge", "grade", "queue", "verify", "rpr", "model", "render")
"""`grade` is all of Math-Verify for one request: `queue` and `verify` of each answer, in parallel."""
GAUGES = {
    "reward_ready": "1 while /ready answers 200, else 0.",
    "reward_workers": "Living processes that run Math-Verify.",
    "reward_pending_samples_max": "Beyond it a request gets 503.",
    "reward_oldest_pending_seconds": "Age of the oldest request under work.",
    "reward_pending_samples": "Samples admitted and not yet answered.",
    "reward_pending_bytes": "Bytes of the bodies of pending requests.",
    "reward_queue_depth": "Answers that wait for a worker.",
    "reward_queue_slow_depth": "Those that began again in the slow lane.",
    "reward_queue_wait_seconds": "Estimated wait of an answer queued now.",
    "reward_model_queue_tokens": "Tokens that wait for the reward model.",
    "reward_model_queue_wait_seconds": "Estimated wait of a sample queued now.",
}


class Metrics:
    """The metrics of one app."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.measured = Tables()
        """What second opinions said."""
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.samples = SampleMetrics(registry)
        _tell_versions(registry)
        self.requests = Counter(
            "reward_requests", "Requests answered.", ["route", "dialect", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "reward_request_seconds", "Time to answer.", ["route"], buckets=SECONDS, registry=registry
        )
        stage_seconds = Histogram(
            "reward_stage_seconds", "Time per stage.", ["stage"], buckets=SECONDS, registry=registry
        )
        self.stage_seconds = {stage: stage_seconds.labels(stage) for stage in STAGES}
        self.unscored = Counter("reward_unscored", "Samples without a reward.", ["reward"], registry=registry)
        self.verdicts = Counter(
            "reward_verdicts", "Answers graded, by the rule that decided.", ["tier"], registry=registry
        )
        self.cache = Counter("reward_verdict_cache", "Look-ups: hit, joined, miss.", ["result"], registry=registry)
        self.nondeterministic = Counter(
            "reward_nondeterministic",
            "Verdicts of checks of one's own that were computed again and differed.",
            ["check"],
            registry=registry,
        )
        self.second_opinions = Counter(
            "reward_second_opinions",
            "Second opinions of graders and judges: given, failed, paused (not asked, since it failed before).",
            ["check", "result"],
            registry=registry,
        )
        self.worker_kills = Counter("reward_worker_kills", "Workers killed at their time limit.", registry=registry)
        self.demoted = Counter(
            "reward_demoted", "Answers that did not end within their slice and began again.", registry=registry
        )
        self.worker_deaths = Counter("reward_worker_deaths", "Workers that died by themselves.", registry=registry)
        self.dropped = Counter(
            "reward_dropped", "Answers dropped before they were graded: their callers left.", registry=registry
        )
        self.model_tokens = Counter(
            "reward_model_tokens", "Tokens: computed, saved by shared prompts, padding.", ["kind"], registry=registry
        )
        self.model_batches = Histogram(
            "reward_model_batch_samples", "Samples a batch.", buckets=(1, 2, 4, 8, 16, 32, 64, 128), registry=registry
        )
        self.model_seconds = Histogram(
            "reward_model_forward_seconds", "Forward time of a batch.", buckets=SECONDS, registry=registry
        )
        self.model_queue_seconds = Histogram(
            "reward_model_queue_seconds", "Time a sample waited for its batch.", buckets=SECONDS, registry=registry
        )
        self.model_scores = Histogram(
            "reward_model_score", "Raw scores of the model.", buckets=MODEL_SCORES, registry=registry
        )
        self.model_dropped = Counter(
            "reward_model_dropped", "Samples dropped before their batch: their callers left.", registry=registry
        )
        self.not_finite = Counter("reward_model_not_finite", "NaN and infinities from the model.", registry=registry)
        self.escapes_eaten = Counter(
            "reward_escapes_eaten", "Completions in which a JSON escape ate a backslash.", registry=registry
        )
        self.repaired = Counter(
            "reward_ground_truths_repaired",
            "Samples whose ground truth had lost a backslash or the like, and was repaired.",
            registry=registry,
        )
        self.lost = Counter(
            "reward_completions_lost",
            "Completions that cannot be told from their prompt.",
            ["reward"],
            registry=registry,
        )
        self.record_lines = Counter("reward_record_lines", "Lines of the record written.", registry=registry)
        self.record_bytes = Counter("reward_record_bytes", "Bytes of the record written.", registry=registry)
        self.record_dropped = Counter(
            "reward_record_dropped", "Lines of the record that could not be written.", registry=registry
        )
        self.rejected = Counter("reward_rejected", "Requests refused, by error code.", ["code"], registry=registry)

    def count_model_batch(self, report: BatchReport) -> None:
        """Counts one batch of the reward model."""
        self.model_batches.observe(report.samples)
        self.model_seconds.observe(report.forward_s)
        self.not_finite.inc(report.not_finite)
        for seconds in report.queue_s:
            self.model_queue_seconds.observe(seconds)
        self.model_dropped.inc(report.dropped)
        self.model_tokens.labels("computed").inc(report.tokens_computed)
        self.model_tokens.labels("saved").inc(report.tokens_saved)
        self.model_tokens.labels("padding").inc(report.padding_tokens)

    def count_request(self, route: str, dialect: str, status: int, seconds: float) -> None:
        """Counts one request and its time."""
        self.requests.labels(route, dialect, status).inc()
        self.request_seconds.labels(route).observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Counts one request that was refused."""
        self.rejected.labels(code).inc()

    def export(self, read: Mapping[str, Callable[[], float]]) -> None:
        """Values of `GAUGES` that are read when Prometheus asks."""
        for name, function in read.items():
            Gauge(name, GAUGES[name], registry=self.registry).set_function(function)

    def begin(self, rewards: Sequence[str], checks: Iterable[str] = ()) -> None:
        """Starts at 0 what alerts look at: from a series that begins at 5, Prometheus cannot see an increase of 5."""
        for reward in rewards:
            self.unscored.labels(reward)
            self.lost.labels(reward)
        for check in checks:
            self.nondeterministic.labels(check)
        for error in (InternalError, Unavailable, Overloaded, Draining, DeadlineExceeded):
            self.rejected.labels(error.code)

    def count_samples(self, plan: Plan, samples: Sequence[Sample], derivations: Sequence[Derivation]) -> None:
        """Counts the samples of one request, (N,), with their derivations."""
        self.samples.count(plan, samples, derivations)
        if plan.asks_an_opinion:
            tabled(self.measured, plan, samples, derivations)
        if plan.asks_a_model:
            self._count_model_scores(derivations)
        unscored = eaten = 0
        for each in derivations:
            unscored += each.score.reward is None
            eaten += each.found.reading.has_eaten_escape
        if unscored:
            self.unscored.labels(plan.name).inc(unscored)
        if eaten:
            self.escapes_eaten.inc(eaten)
        if repaired := count_repaired(plan, samples, derivations):
            self.repaired.inc(repaired)

    def count_lost(self, reward: str, number: int) -> None:
        """Counts completions that cannot be told from their prompt."""
        self.lost.labels(reward).inc(number)

    def _count_model_scores(self, derivations: Sequence[Derivation]) -> None:
        """Counts what the model said of the samples of one request."""
        for each in leaves_of(derivations):
            if (score := each.score.parts.get("model_score")) is not None:
                self.model_scores.observe(score)

    def count_difference(self, check: str) -> None:
        """Counts one verdict of a check that contradicts the one that is kept."""
        self.nondeterministic.labels(check).inc()

    def count_opinion(self, check: str, result: str) -> None:
        """Counts one second opinion that was wanted of a grader or judge: given, failed, paused."""
        self.second_opinions.labels(check, result).inc()

    def count_lookup(self, result: str) -> None:
        """Counts one look-up of a verdict: hit, joined, miss."""
        self.cache.labels(result).inc()

    def count_tiers(self, verdicts: Sequence[Verdict]) -> None:
        """Counts which rule decided each verdict."""
        for tier, number in _tally([verdict.tier for verdict in verdicts]):
            self.verdicts.labels(tier).inc(number)

    def exposition(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)


def _tally(names: Sequence[str]) -> Iterable[tuple[str, int]]:
    """How often each comes. `collections.Counter` takes two microseconds for the one of a one-sample request."""
    return ((names[0], 1),) if len(names) == 1 else Tally(names).items()


def _tell_versions(registry: CollectorRegistry) -> None:
    graders = {name.replace("-", "_"): version(name) for name in GRADERS}
    told = {"version": __version__, "python": python_version(), **graders}
    info = Info("reward_server_info", "1; the versions that a reward may depend on.", list(told), registry=registry)
    info.labels(*told.values())
