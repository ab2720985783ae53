from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from deepfake_ssat.clips.images import ImageDataset
from deepfake_ssat.clips.pictures import pictures_of_arrays
from deepfake_ssat.training.module import BatchScores
from deepfake_ssat.training.validation import gather, mean_losses, measure


def faces(labels, videos, tracks, sides=None):
    boxes = [(0.0, 0.0, side, side) for side in sides or [100.0] * len(labels)]
    values = {"labels": labels, "item_videos": videos, "tracks": tracks, "boxes": boxes}
    return cast(Any, SimpleNamespace(**values, videos=sorted(set(videos))))


def batch(items, fake_probabilities, loss=0.5):
    rows = [[1 - p, p] for p in fake_probabilities]
    return BatchScores(items, rows, {"loss": loss * len(items)})


def test_losses_are_means_over_items_not_over_batches():
    batches = [batch([0, 1, 2], [0, 0, 0], loss=1.0), batch([3], [0], loss=3.0)]
    assert mean_losses(batches) == {"val_loss": 1.5}


def test_video_score_is_mean_of_clips_then_maximum_of_faces():
    # Video 0, real: faces 0.1 and (0.9 + 0.3) / 2 = 0.6. Video 1, fake: one face of 0.55.
    examples = faces([0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [0, 1, 1, 0, 0])
    result = measure([batch([3, 4], [0.5, 0.6]), batch([0, 1, 2], [0.1, 0.9, 0.3])], examples)
    assert result.metrics["val_video_auc"] == 0.0
    assert result.metrics["val_clip_auc"] == pytest.approx(4 / 6)
    assert result.metrics["val_video_accuracy"] == 0.5
    assert result.num_videos == 2


def test_small_faces_do_not_count_beside_larger_ones():
    # As above, but face 1 of video 0, with 0.6, has a mean of 79 pixels.
    examples = faces([0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [0, 1, 1, 0, 0], [100, 70, 88, 60, 60])
    result = measure([batch([3, 4], [0.5, 0.6]), batch([0, 1, 2], [0.1, 0.9, 0.3])], examples)
    assert result.metrics["val_video_auc"] == 1.0


def test_higher_video_auc_wins_and_the_lower_loss_among_equals():
    examples = faces([0, 1], [0, 1], [0, 0])
    better = measure([batch([0, 1], [0.2, 0.8])], examples)
    same_but_sure = measure([batch([0, 1], [0.1, 0.9], loss=0.1)], examples)
    worse = measure([batch([0, 1], [0.8, 0.2], loss=0.01)], examples)
    assert worse.rank < better.rank < same_but_sure.rank


def test_without_classes_the_lower_loss_wins():
    examples = faces([-1, -1], [0, 1], [0, 0])
    results = [measure([BatchScores([0, 1], [], {"loss": loss})], examples) for loss in (2.0, 1.0)]
    assert results[0].rank < results[1].rank
    assert results[0].metrics == {"val_loss": 1.0}


def test_pictures_are_chosen_by_accuracy():
    images, labels = np.zeros((3, 4, 4, 3), np.uint8), np.array([0, 1, 2])
    examples = ImageDataset(pictures_of_arrays(images, labels, ("a", "b", "c"), "val"), 4, None, 0)
    rows = [[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3]]
    result = measure([BatchScores([0, 1, 2], rows, {"loss": 3.0})], examples)
    assert result.metrics == {"val_loss": 1.0, "val_image_accuracy": pytest.approx(2 / 3)}


def test_one_process_has_all_scores_itself():
    batches = [batch([0], [0.5])]
    assert gather(batches) == batches
