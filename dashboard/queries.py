"""What Prometheus is asked about samples: sums over a window, by reward and config, of the rows that are chosen.

A trainer sends a step at a time, so everything is a sum over `$window`, never a rate over a few scrapes. `increase()`
sees nothing of what a series counted before it was first scraped. So a series that was not there in the window before
counts with all that it has: the first step of a run is on the picture. The same happens to old series where Prometheus
saw nothing of a server for longer than a window.
"""

from __future__ import annotations

from collections.abc import Iterable

from reward_server.types import Outcome

CHOSEN = 'reward=~"$reward",config=~"$config",rows=~"$rows",instance=~"$instance"'
"""Of the metrics that count samples."""
SERVER = 'instance=~"$instance"'
RUN = "reward, config"
"""What a line of a picture is about."""
BY_MODEL = (Outcome.SCORED, Outcome.BAD_FORMAT)
GRADED = tuple(outcome for outcome in Outcome if not outcome.is_unscored and outcome not in BY_MODEL)
AT_FAULT = (Outcome.TIMEOUT, *(outcome for outcome in Outcome if outcome.is_unscored))


def any_of(outcomes: Iterable[Outcome]) -> str:
    """A matcher of the label `outcome`.

    >>> any_of([Outcome.CORRECT, Outcome.TIMEOUT])
    'outcome=~"correct|timeout"'
    """
    return f'outcome=~"{"|".join(outcomes)}"'


def gained(metric: str, *matchers: str, by: str = RUN, window: str = "$window") -> str:
    """What the chosen series of a counter gained over the window, summed `by` labels."""
    series = f"{metric}{{{','.join((CHOSEN, *matchers))}}}"
    is_old = f"present_over_time({series}[{window}] offset {window})"
    return f"sum by ({by}) ({series} unless {is_old} or increase({series}[{window}]))"


def ratio(part: str, whole: str) -> str:
    """Nothing where the whole is 0."""
    return f"{part} / ({whole} > 0)"


def samples(*matchers: str, window: str = "$window") -> str:
    """Samples that were scored."""
    return gained("reward_samples_total", *matchers, window=window)


def mean_paid(window: str = "$window") -> str:
    """The mean of what was paid; samples without a reward are left out."""
    plus = gained("reward_paid_total", 'sign="plus"', window=window)
    minus = gained("reward_paid_total", 'sign="minus"', window=window)
    return ratio(f"({plus} - {minus})", gained("reward_value_count", window=window))


def accuracy(window: str = "$window") -> str:
    """Right answers of those graded, before noise."""
    right = samples(f'outcome="{Outcome.CORRECT}"', window=window)
    return ratio(right, samples(any_of(GRADED), window=window))


def outcome_shares(*matchers: str) -> str:
    """The share of each outcome of a run's samples."""
    by_outcome = gained("reward_samples_total", *matchers, by=f"{RUN}, outcome")
    return f"{by_outcome} / on ({RUN}) group_left () ({samples()} > 0)"


def flip_share(kind: str) -> str:
    """`kind`: reward_flips_total, or reward_flips_expected_total for what the rates promise."""
    return ratio(gained(kind), gained("reward_flip_exposed_total"))


def draw_share(kind: str) -> str:
    """The same over draws: in scope `question` the questions of a request, each once."""
    return ratio(gained(kind), gained("reward_noise_draws_total"))


def draw_band(sign: str) -> str:
    """p ± 2 · √(p · (1 - p) / n) of n independent draws at p: where 95 % of the shares are, if n is not small."""
    p, n = draw_share("reward_noise_flipped_draws_expected_total"), gained("reward_noise_draws_total")
    width = f"2 * sqrt(clamp_min({p} * (1 - {p}), 0) / {n})"
    return f"clamp({p} {sign} {width}, 0, 1)"


def misjudged(paid: str, reference: str) -> str:
    """Of what the second opinion calls right ("1") or wrong ("0"), the share that was paid otherwise."""
    against = f'reference="{reference}"'
    whole = gained("reward_confusion_total", against)
    return ratio(gained("reward_confusion_total", f'paid="{paid}"', against), whole)


def length(quantile: float) -> str:
    """Characters of the policy's own turn."""
    return f"histogram_quantile({quantile}, {gained('reward_completion_chars_bucket', by=f'{RUN}, le')})"


def spread(metric: str) -> str:
    """A histogram over time, of all that is chosen together."""
    return gained(f"{metric}_bucket", by="le")


def newly(labels: str, info: str) -> str:
    """The label values of an info metric that were not there a window ago."""
    return f"group by ({labels}) ({info}) unless group by ({labels}) ({info} offset $window)"


def rate(metric: str, *matchers: str, by: str = "") -> str:
    """Of a server's load: a second, over a few scrapes."""
    total = f"rate({metric}{{{','.join((*matchers, SERVER))}}}[$__rate_interval])"
    return f"sum by ({by}) ({total})" if by else f"sum({total})"


def quantile(share: float, metric: str, *matchers: str, by: str = "le") -> str:
    """Of a histogram of the server, over a few scrapes."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', *matchers, by=by)})"


def happened(metric: str) -> str:
    """How often, over the window."""
    return f"sum(increase({metric}{{{SERVER}}}[$window]))"
