"""Learning under noise comes out as theory says: a small policy trained on rewards of the live server.

The runs are fixed by their seeds, so the bands cannot flake. `make experiment-bandit` has more of it (T9 to T12).
"""

from __future__ import annotations

import numpy as np
import pytest
from running_server import RunningServer

from experiments.bandit.canned import canned, drawn, first_only
from experiments.bandit.laws import Matrix, plateau, shape
from experiments.bandit.rewards import Compared, Floats
from experiments.bandit.training import Setting, advantages, train


def test_t8_learning_has_the_shape_that_theory_predicts(server: RunningServer) -> None:
    """p = 0, 0.2, 0.4, 0.5, 0.6; and every reward over HTTP is the in-process one, bit for bit."""

    def run(name: str, setting: Setting, is_right: Matrix, query: str) -> Floats:
        with Compared(server.url, query, canned(is_right)) as rewards_of:
            return train(setting, is_right, rewards_of)

    findings = list(shape(run))
    assert len(findings) == 5
    assert all(finding.holds for finding in findings), findings


def test_the_canned_completions_are_right_where_the_matrix_says_so() -> None:
    for is_right in (drawn(11), drawn(0), first_only()):
        answers = canned(is_right)
        outcomes = [[answers.verdict(q, s).outcome for s in range(4)] for q in range(64)]
        assert (np.array(outcomes) == np.where(is_right, "correct", "incorrect")).all()
    assert abs(drawn(11)[:, 0].mean() - 0.828) < 0.001  # the ceiling of T8
    assert all(len(set(row)) == 4 for row in canned(drawn(11)).completions)


def test_equal_rewards_have_no_advantage_and_others_unit_variance() -> None:
    rewards = np.array([[[1.0] * 8, [0.0] * 8, [1.0] * 4 + [0.0] * 4]])
    whitened = advantages(rewards, whiten=True)
    assert (whitened[0, :2] == 0).all()
    assert np.allclose(whitened[0, 2], [1.0] * 4 + [-1.0] * 4, atol=1e-5)
    assert (advantages(rewards, whiten=False)[0, 2] == [0.5] * 4 + [-0.5] * 4).all()


@pytest.mark.parametrize(
    ("query", "ends_at"), [("label_noise=0.3", 0.7), ("flip_prob=0.4&flip_scope=answer", plateau(0.4))]
)
def test_noise_of_labels_and_answers_decides_where_learning_ends(
    server: RunningServer, query: str, ends_at: float
) -> None:
    """T17 and T18 in short: a policy a question, five runs of 60 large steps."""
    is_right = first_only()
    with Compared(server.url, query, canned(is_right)) as rewards_of:
        curve = train(Setting(lr=1.0, steps=60, seeds=5, shared=False), is_right, rewards_of)
    assert abs(float(curve[:, -1].mean()) - ends_at) < 0.07
