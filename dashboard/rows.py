"""Which panels there are, row by row."""

from __future__ import annotations

from dashboard import queries as q
from dashboard.panels import Panel, lines, listing, number, spread

RUN = "{{reward}} {{config}}"
SCORING = 'route=~"/score/.*"'
PROCESS = 'job="reward-server"'
SAMPLES = "${view:raw}&config=${__field.labels.config}&outcome=${__field.labels.outcome}"
OF_MODEL = q.any_of(q.BY_MODEL)


def rows() -> dict[str, list[Panel]]:
    """The panels of each row, by its title."""
    return {
        "At a glance": at_a_glance(),
        "What the trainer is paid": paid(),
        "What the policy writes": written(),
        "Noise": noise(),
        "Spread, over all that is chosen: choose one config": spreads(),
        "Which configs and versions": told(),
        "Time": times(),
        "Load and saturation": load(),
        "Parts of the server": parts(),
    }


def at_a_glance() -> list[Panel]:
    p99 = q.quantile(0.99, "reward_request_seconds", SCORING)
    late = {"green": None, "orange": 30, "red": 120}
    scored, paid_for = q.samples(window="$__range"), q.gained("reward_value_count", window="$__range")
    return [
        number(
            "Ready replicas",
            "Servers whose /ready answers 200.",
            f"sum(reward_ready{{{q.SERVER}}})",
            steps={"red": None, "green": 1},
        ),
        number(
            "Samples a second",
            "Scored, whatever the outcome, for whomever.",
            q.rate("reward_samples_total", 'reward=~"$reward"'),
            decimals=1,
        ),
        number(
            "Clean accuracy",
            "Wholly right answers of those graded, before noise, by config over the time that is shown.",
            q.accuracy("$__range"),
            unit="percentunit",
            decimals=1,
            legend=RUN,
        ),
        number(
            "Without a reward",
            "Share of samples that are paid null or the fallback: error, ungradable, too_long.",
            q.ratio(f"sum({scored} - {paid_for})", f"sum({scored})"),
            unit="percentunit",
            decimals=2,
            steps={"green": None, "orange": 0.001, "red": 0.01},
        ),
        number(
            "Oldest request",
            "Age of the oldest request under work; at request_timeout_s it gets 503.",
            f"max(reward_oldest_pending_seconds{{{q.SERVER}}})",
            unit="s",
            decimals=1,
            steps=late,
        ),
        number("p99 of a request", "99 % of the scoring requests were faster.", p99, unit="s", decimals=2, steps=late),
    ]


def paid() -> list[Panel]:
    return [
        lines("Mean reward", "Over what was paid: nulls are left out. A line a config.", {RUN: q.mean_paid()}),
        lines(
            "Clean accuracy",
            "Wholly right answers of those graded, before noise: what the policy can do, whatever it is paid.",
            {RUN: q.accuracy()},
            unit="percentunit",
            top=1,
        ),
        lines(
            "Outcomes",
            "Share of each outcome in its config. Where the mean falls, the outcome that rises says why.",
            {"{{outcome}} {{config}}": f"{q.outcome_shares()} > 0"},
            unit="percentunit",
            top=1,
            links={"These samples": SAMPLES},
        ),
    ]


def written() -> list[Panel]:
    return [
        lines(
            "Length of completions",
            "Characters of the policy's own turn: median, and 95 % are shorter than the other line.",
            {f"{RUN}: p50": q.length(0.5), f"{RUN}: p95": q.length(0.95)},
        ),
        lines(
            "Cut off",
            "Share of samples that look cut off by a limit of tokens: no answer, no end-of-turn token, and the text"
            " does not end as a sentence, a bracket or a formula does.",
            {RUN: q.ratio(q.gained("reward_cut_off_total"), q.samples())},
            unit="percentunit",
            top=1,
        ),
        lines(
            "Timeouts, ungradable, errors",
            "Share of samples. timeout: the answer exhausts its budget, paid 0. ungradable: the ground truth is"
            " unusable. error: our fault.",
            {"{{outcome}} {{config}}": q.outcome_shares(q.any_of(q.AT_FAULT))},
            unit="percentunit",
        ),
    ]


def noise() -> list[Panel]:
    promised, low, high = f"{RUN}: promised", f"{RUN}: chance allows from", f"{RUN}: to"
    return [
        lines(
            "Flip share of questions",
            "Share of draws that flipped; in scope question a draw is one question and visit. The band holds 95 % of"
            " the shares that independent draws at the promised rate give: a line that leaves it again and again"
            " repeats its draws (no visits?). Only requests with more than one sample can be counted so.",
            {
                f"{RUN}: flipped": q.draw_share("reward_noise_flipped_draws_total"),
                promised: q.draw_share("reward_noise_flipped_draws_expected_total"),
                low: q.draw_band("-"),
                high: q.draw_band("+"),
            },
            unit="percentunit",
            top=1,
            dashed=(promised, low, high),
        ),
        lines(
            "Flip share of samples against its setting",
            "What noise turned, of what it could turn; and the share that the rates of the requests promise. In scope"
            " question few questions at a time make the first jump about the second.",
            {
                f"{RUN}: flipped": q.flip_share("reward_flips_total"),
                promised: q.flip_share("reward_flips_expected_total"),
            },
            unit="percentunit",
            top=1,
            dashed=(promised,),
        ),
        lines(
            "What a second opinion says",
            "Of rewards that ask one (reference=): the share of wrong answers that were paid, and of right ones that"
            " were not. Noise on purpose is among them. GET /rewards/NAME/noise has the intervals.",
            {f"{RUN}: wrong, paid": q.misjudged("1", "0"), f"{RUN}: right, not paid": q.misjudged("0", "1")},
            unit="percentunit",
            top=1,
        ),
        lines(
            "Calibrated share",
            "rm: share of the model's scores that RPR raised, being below the threshold.",
            {RUN: q.ratio(q.gained("reward_model_calibrated_total"), q.samples(OF_MODEL))},
            unit="percentunit",
            top=1,
        ),
    ]


def spreads() -> list[Panel]:
    scores = f"sum by (le) (increase(reward_model_score_bucket{{{q.SERVER}}}[$window]))"
    return [
        spread("Rewards paid", "Distribution over time.", q.spread("reward_value")),
        spread(
            "RPR", "Distribution over time. A rise without clean accuracy is phrase stuffing.", q.spread("reward_rpr")
        ),
        spread(
            "Reward model scores",
            "Raw, before transform and calibration, of all who ask. A drift upwards without clean accuracy is reward"
            " hacking.",
            scores,
        ),
    ]


def told() -> list[Panel]:
    configs, versions = ("reward", "config", "parameters"), ("version", "math_verify", "sympy", "python", "instance")
    return [
        listing(
            "Configs",
            "What each config is: the parameters that are not at their defaults. It stands in every reply.",
            f'group by ({", ".join(configs)}) (reward_config_info{{reward=~"$reward",{q.SERVER}}})',
            configs,
        ),
        listing(
            "Versions",
            "What each server runs.",
            f"group by ({', '.join(versions)}) (reward_server_info{{{q.SERVER}}})",
            versions,
        ),
    ]


def times() -> list[Panel]:
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    by_stage = [q.quantile(share, "reward_stage_seconds", by="le, stage") for share in (0.5, 0.99)]
    answered = {name: q.quantile(share, "reward_request_seconds", SCORING) for name, share in shares.items()}
    return [
        lines("Time to answer", "Of scoring requests.", answered, unit="s"),
        lines(
            "p50 by stage",
            "queue and verify are of each answer that needed a worker; the others of each request.",
            {"{{stage}}": by_stage[0]},
            unit="s",
        ),
        lines("p99 by stage", "The stage to look at when requests are slow.", {"{{stage}}": by_stage[1]}, unit="s"),
    ]


def load() -> list[Panel]:
    requests = q.rate("reward_requests_total", 'route!~"/health|/ready|/metrics"', by="dialect, status")
    return [
        lines(
            "Samples a second",
            "By reward, for whomever.",
            {"{{reward}}": q.rate("reward_samples_total", 'reward=~"$reward"', by="reward")},
            is_stacked=True,
        ),
        lines(
            "Requests a second",
            "By the caller's dialect and the status.",
            {"{{dialect}} {{status}}": requests},
            is_stacked=True,
        ),
        lines("Refused or failed", "By error code.", {"{{code}}": q.rate("reward_rejected_total", by="code")}),
        lines(
            "Queue",
            "Samples admitted and not yet answered; answers that wait for a worker, and those of them that did not end"
            " within their slice; tokens that wait for the reward model.",
            {
                "pending samples": f"sum(reward_pending_samples{{{q.SERVER}}})",
                "answers waiting": f"sum(reward_queue_depth{{{q.SERVER}}})",
                "of them in the slow lane": f"sum(reward_queue_slow_depth{{{q.SERVER}}})",
                "model tokens waiting": f"sum(reward_model_queue_tokens{{{q.SERVER}}})",
            },
        ),
        lines(
            "Waiting",
            "Age of the oldest request, and how long the queues will take at the measured rate.",
            {
                "oldest request": f"max(reward_oldest_pending_seconds{{{q.SERVER}}})",
                "workers' queue": f"max(reward_queue_wait_seconds{{{q.SERVER}}})",
                "model's queue": f"max(reward_model_queue_wait_seconds{{{q.SERVER}}})",
            },
            unit="s",
        ),
        saturation(),
    ]


def saturation() -> Panel:
    workers = q.rate("reward_stage_seconds_sum", 'stage="verify"', by="instance")
    pending = f"reward_pending_samples{{{q.SERVER}}} / reward_pending_samples_max{{{q.SERVER}}}"
    files = f"process_open_fds{{{PROCESS},{q.SERVER}}} / process_max_fds{{{PROCESS},{q.SERVER}}}"
    core = f"rate(process_cpu_seconds_total{{{PROCESS},{q.SERVER}}}[$__rate_interval])"
    return lines(
        "Saturation",
        "1 is full: workers busy, places for samples taken, files open, the server's own core.",
        {
            "workers": f"max({workers} / on (instance) reward_workers{{{q.SERVER}}})",
            "pending samples": f"max({pending})",
            "files": f"max({files})",
            "event loop's core": f"max({core})",
        },
        unit="percentunit",
    )


def parts() -> list[Panel]:
    return [
        lines(
            "Reward model: tokens a second",
            "Computed, and saved by prompts that completions share.",
            {"{{kind}}": q.rate("reward_model_tokens_total", by="kind")},
            is_stacked=True,
        ),
        lines(
            "Reward model: time in the queue and in a batch",
            "p90.",
            {
                "queue": q.quantile(0.9, "reward_model_queue_seconds"),
                "forward": q.quantile(0.9, "reward_model_forward_seconds"),
            },
            unit="s",
        ),
        lines(
            "Which rule decided, and the cache",
            "Answers a second, by tier; look-ups of those that need a worker.",
            {
                "{{tier}}": f"{q.rate('reward_verdicts_total', by='tier')} > 0",
                "cache: {{result}}": q.rate("reward_verdict_cache_total", by="result"),
            },
        ),
        lines(
            "Workers lost",
            "Killed at the hard limit, or died by themselves; each costs one answer at most.",
            {"killed": q.happened("reward_worker_kills_total"), "died": q.happened("reward_worker_deaths_total")},
        ),
        lines(
            "The record",
            "Bytes a second, if record_dir is set; lines that could not be written should stay at 0.",
            {
                "bytes a second": q.rate("reward_record_bytes_total"),
                "lines dropped": q.happened("reward_record_dropped_total"),
            },
        ),
        lines(
            "Memory",
            "Of the server's process, without its workers.",
            {"{{instance}}": f"process_resident_memory_bytes{{{PROCESS},{q.SERVER}}}"},
            unit="bytes",
        ),
        lines(
            "Not a number, eaten backslashes",
            "Both should stay at 0.",
            {
                "NaN or infinity from the model": q.happened("reward_model_not_finite_total"),
                "completions with a JSON escape": q.happened("reward_escapes_eaten_total"),
            },
        ),
    ]
