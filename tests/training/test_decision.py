import numpy as np

from deepfake_ssat.models.checkpoint import Decision
from deepfake_ssat.records import Verdict
from deepfake_ssat.training.decision import choose_decision


def test_classes_that_lie_apart_have_a_threshold_between_and_no_band():
    decision = choose_decision(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.6, 0.9]))
    assert (decision.uncertain_low, decision.threshold, decision.uncertain_high) == (0.4, 0.4, 0.4)


def test_band_claims_wrongly_of_at_most_one_in_twenty():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200)
    scores = np.clip(np.concatenate([generator.normal(0.4, 0.1, 200), generator.normal(0.6, 0.1, 200)]), 0, 1)
    decision = choose_decision(labels, scores)
    verdicts = [decision.verdict(score) for score in scores]
    assert 0 < verdicts[:200].count(Verdict.FAKE) <= 10
    assert 0 < verdicts[200:].count(Verdict.REAL) <= 10
    assert Verdict.UNCERTAIN in verdicts


def test_one_class_alone_gives_the_default():
    assert choose_decision(np.array([1, 1]), np.array([0.2, 0.9])) == Decision()


def test_scores_at_both_ends_are_a_valid_decision():
    decision = choose_decision(np.array([0, 1, 0, 1]), np.array([1.0, 0.0, 0.0, 1.0]))
    assert decision.uncertain_low == 0.0
    assert decision.uncertain_high == 1.0
