"""Trivial cues do not tell a pseudo-fake from its genuine twin: only the manipulation does.

Runs what training runs: data set, augmentation and H.264, from an experiment's settings.
"""

import cv2
import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepfake_ssat.config import Experiment
from deepfake_ssat.training.data import load_examples
from tests.clips.faces import make_face_manifest, real_videos
from tests.training.runs import tiny_values

PEOPLE, EPOCHS = 60, 3
BAND = 0.08
"""Of the AUC around 0.5; 180 pairs leave about 0.03 to chance."""
CLASSIFIERS = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000)),
    "trees": GradientBoostingClassifier(n_estimators=30, max_depth=2, random_state=0),
}


def cues(clip):
    """(T, H, W, 3) uint8 -> what a lazy detector would look at, and nothing inside the face."""
    side = clip.shape[1]
    ring = np.ones((side, side), bool)
    ring[side // 8 : -side // 8, side // 8 : -side // 8] = False
    grey = clip.mean(axis=-1)
    sharpness = np.stack([np.abs(cv2.Laplacian(frame, cv2.CV_64F)) for frame in grey])
    sizes = [len(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]) for frame in clip]
    black = (clip.max(axis=-1) < 8).mean(axis=0)
    return np.array(
        [
            *clip.mean(axis=(0, 1, 2)),
            *clip.std(axis=(0, 1, 2)),
            np.mean(sizes),
            np.log(sharpness[:, ring].mean() + 1),
            np.abs(np.diff(grey, axis=0))[:, ring].mean(),
            black.mean(),
            *(edge.mean() for edge in (black[0], black[-1], black[:, 0], black[:, -1])),
        ]
    )


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Genuine and manipulated cues, each (N, K), and the person in each pair, (N,)."""
    folder = tmp_path_factory.mktemp("faces")
    make_face_manifest(folder, [*real_videos(PEOPLE), *real_videos(2, "val")], frames=6, clip_frames=2)
    values = tiny_values(
        folder,
        model={"frames": 2, "image_size": 64},
        data={"pseudo_fakes": {}},
        augmentation={"name": "dfdc", "h264": {"probability": 0.7, "crf": [18, 35]}},
    )
    train = load_examples(Experiment.model_validate(values)).train
    real, fake, person = [], [], []
    for epoch in range(EPOCHS):
        train.set_epoch(epoch)
        for genuine, forged in train.pairs(epoch):
            real.append(cues(train[genuine]["pixels"].numpy()))
            fake.append(cues(train[forged]["pixels"].numpy()))
            person.append(genuine)
    return np.array(real), np.array(fake), np.array(person)


def _auc(classifier, real, fake, person):
    features = np.concatenate([real, fake])
    labels = np.repeat([0, 1], len(real))
    groups = np.concatenate([person, person])
    scores = cross_val_predict(
        CLASSIFIERS[classifier], features, labels, groups=groups, cv=GroupKFold(5), method="predict_proba"
    )
    return roc_auc_score(labels, scores[:, 1])


@pytest.mark.slow
@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_trivial_cues_stay_at_chance(pairs, classifier):
    assert _auc(classifier, *pairs) == pytest.approx(0.5, abs=BAND)


@pytest.mark.slow
@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_a_shortcut_would_be_found(pairs, classifier):
    real, fake, person = pairs
    # As if only the fakes had been compressed again: a fifth smaller as JPEG, and softer all over.
    marked = fake.copy()
    marked[:, 6] *= 0.8
    marked[:, 7] -= 0.3
    assert _auc(classifier, real, marked, person) > 0.5 + 2 * BAND


def test_border_of_a_pair_differs_in_no_direction(pairs):
    real, fake, _ = pairs
    difference = (fake - real)[:, 7]
    spread = difference.std() / np.sqrt(len(difference))
    assert abs(difference.mean()) < max(3 * spread, 0.02)
