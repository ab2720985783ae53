"""MTCNN's three networks (Zhang et al., 2016; facenet-pytorch's weights) behind a fast, batched path.

The frames go through an OpenCV pyramid in uint8, each level made from the one above, and candidates are cut
out by OpenCV as well: around the small networks, that is where the time goes. The pyramid is coarser than
facenet-pytorch's and fewer overlapping proposals pass, which tools/bench_faces.py shows to cost no recall.

F frames, H W pixels, N candidates. Boxes are (x0, y0, x1, y1) in pixels of the given frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from deepfake_ssat.faces.networks import load_networks
from deepfake_ssat.records import FaceDetection

CELL, STRIDE = 12, 2
"""P-net looks at squares of 12 pixels, 2 pixels apart."""
CELL_PER_FACE = 1.15
"""P-net's finest cell in sides of the smallest face: it finds faces down to 0.85 of its cell."""
PYRAMID_FACTOR = 0.65
"""Size of a level in that of the one above; P-net finds faces of 0.85 to 1.5 cells, so none falls between."""
OVERLAP = {"level": 0.5, "frame": 0.5, "refined": 0.7}
"""Of two proposals on a level, in a frame, or after R-net, above which the weaker one goes."""
SAME_FACE = 0.3
"""Overlap above which a face that fills the frame is one that the pyramid showed already."""
THRESHOLDS = (0.6, 0.7, 0.7)
"""Of the three networks, as facenet-pytorch has them."""
MIN_FACE, MIN_SIDE = 20.0, 20
"""Smallest face the cascade can see, and smallest frame side it can work on, in pixels."""
REFINING_SIDE, FINAL_SIDE = 24, 48
"""Of the crops that R-net and O-net read, in pixels."""
NETWORK_BATCH = 64
"""Crops that go through R-net and O-net together: with more, their activations leave the cache."""


@dataclass(frozen=True)
class _Candidates:
    """Boxes of all frames of a batch."""

    boxes: np.ndarray
    """(N, 4) float32."""
    scores: np.ndarray
    """(N,) float32."""
    frames: np.ndarray
    """(N,) int64: which frame of the batch."""

    def take(self, chosen: np.ndarray) -> _Candidates:
        return _Candidates(self.boxes[chosen], self.scores[chosen], self.frames[chosen])

    def joined(self, others: _Candidates) -> _Candidates:
        return _Candidates(
            np.concatenate([self.boxes, others.boxes]),
            np.concatenate([self.scores, others.scores]),
            np.concatenate([self.frames, others.frames]),
        )


class FaceDetector:
    """Boxes, five landmarks and confidence of every face in a batch of frames of one size."""

    def __init__(self, min_face_size: float = MIN_FACE, device: str | torch.device = "cpu"):
        """``min_face_size``: side in pixels of the given frames; below 20 the cascade sees nothing."""
        self._min_face_size = max(min_face_size, MIN_FACE)
        self._device = torch.device(device)
        self._pnet, self._rnet, self._onet = load_networks(self._device)

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[FaceDetection]]:
        """(H, W, 3) uint8 RGB frames of one size -> the faces of each, the most confident first."""
        if not frames or min(frames[0].shape[:2]) < max(MIN_SIDE, self._min_face_size):
            return [[] for _ in frames]
        with torch.inference_mode():
            levels = _pyramid(frames, CELL / (CELL_PER_FACE * self._min_face_size))
            candidates, landmarks = self._look(frames, levels)
            filling, points = self._look(frames, [_filling_level(frames, levels[-1][1])])
        added = _apart(filling, candidates)
        candidates = candidates.joined(filling.take(added))
        landmarks = np.concatenate([landmarks, points[added]])
        found: list[list[FaceDetection]] = [[] for _ in frames]
        for index in np.argsort(-candidates.scores, kind="stable"):
            x0, y0, x1, y1 = candidates.boxes[index].tolist()
            detection = FaceDetection((x0, y0, x1, y1), landmarks[index], float(candidates.scores[index]))
            found[candidates.frames[index]].append(detection)
        return found

    def _look(
        self, frames: Sequence[np.ndarray], levels: list[tuple[float, np.ndarray]]
    ) -> tuple[_Candidates, np.ndarray]:
        """The faces that are seen at some levels of the pyramid, and their landmarks (N, 5, 2)."""
        candidates = self._propose(levels)
        if not len(candidates.boxes):
            return candidates, np.zeros((0, 5, 2), np.float32)
        return self._finish(frames, self._refine(frames, candidates))

    def _propose(self, levels: list[tuple[float, np.ndarray]]) -> _Candidates:
        """P-net over the pyramid: squares that may hold a face."""
        proposals = [self._propose_at(level, scale) for scale, level in levels]
        boxes, scores, owners, shifts = (np.concatenate(parts) for parts in zip(*proposals, strict=True))
        kept = _nms(_Candidates(boxes, scores, owners), OVERLAP["frame"])
        boxes, scores, owners, shifts = (values[kept] for values in (boxes, scores, owners, shifts))
        boxes = boxes + shifts * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        return _Candidates(_squared(boxes), scores, owners)

    def _propose_at(self, level: np.ndarray, scale: float) -> tuple[np.ndarray, ...]:
        """One level (F, h, w, 3) -> boxes (N, 4) in frame pixels, scores, frames and corrections (N, 4)."""
        outputs = self._pnet(self._network_input(level))
        shifts, probabilities = (output.float().cpu().numpy() for output in outputs)
        owners, rows, columns = np.nonzero(probabilities[:, 1] >= THRESHOLDS[0])
        scores = probabilities[owners, 1, rows, columns]
        corners = np.stack([columns, rows], axis=1) * STRIDE
        boxes = np.floor(np.concatenate([corners + 1, corners + CELL], axis=1) / scale).astype(np.float32)
        kept = _nms(_Candidates(boxes, scores, owners), OVERLAP["level"])
        return boxes[kept], scores[kept], owners[kept], shifts[owners, :, rows, columns][kept]

    def _refine(self, frames: Sequence[np.ndarray], candidates: _Candidates) -> _Candidates:
        """R-net on small crops: most squares go, the rest fit better."""
        shifts, probabilities = self._run(self._rnet, frames, candidates, REFINING_SIDE)
        passed = probabilities[:, 1] > THRESHOLDS[1]
        candidates = _Candidates(
            candidates.boxes[passed], probabilities[passed, 1], candidates.frames[passed]
        )
        kept = _nms(candidates, OVERLAP["refined"])
        boxes = _shifted(candidates.boxes[kept], shifts[passed][kept])
        return _Candidates(_squared(boxes), candidates.scores[kept], candidates.frames[kept])

    def _finish(
        self, frames: Sequence[np.ndarray], candidates: _Candidates
    ) -> tuple[_Candidates, np.ndarray]:
        """O-net on larger crops: final boxes and landmarks (N, 5, 2)."""
        shifts, points, probabilities = self._run(self._onet, frames, candidates, FINAL_SIDE)
        passed = probabilities[:, 1] > THRESHOLDS[2]
        squares, points = candidates.boxes[passed], points[passed]
        sides = squares[:, 2:] - squares[:, :2] + 1
        landmarks = (
            np.stack([points[:, :5], points[:, 5:]], axis=2) * sides[:, None] + squares[:, None, :2] - 1
        )
        boxes = _shifted(squares, shifts[passed])
        candidates = _Candidates(boxes, probabilities[passed, 1], candidates.frames[passed])
        kept = _nms_by_smaller(candidates, OVERLAP["refined"])
        return candidates.take(kept), landmarks[kept].astype(np.float32)

    def _run(
        self, network: nn.Module, frames: Sequence[np.ndarray], candidates: _Candidates, side: int
    ) -> list[np.ndarray]:
        """A network's outputs on the candidates' crops, each (N, outputs); empty ones for no candidates."""
        # The networks cannot be run on nothing: a blank crop gives the outputs their shapes.
        crops = np.concatenate([_crops(frames, candidates, side), np.zeros((1, side, side, 3), np.uint8)])
        outputs = [
            network(self._network_input(crops[start : start + NETWORK_BATCH]))
            for start in range(0, len(crops), NETWORK_BATCH)
        ]
        return [torch.cat(parts)[:-1].float().cpu().numpy() for parts in zip(*outputs, strict=True)]

    def _network_input(self, pixels: np.ndarray) -> Tensor:
        """(N, h, w, 3) uint8 -> (N, 3, h, w) float in about [-1, 1]."""
        values = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2).float()
        return values.sub_(127.5).mul_(1 / 128)


def _pyramid(frames: Sequence[np.ndarray], first_scale: float) -> list[tuple[float, np.ndarray]]:
    """(scale, level (F, h, w, 3) uint8) from large to small, while P-net's cell fits in."""
    height, width = frames[0].shape[:2]
    levels: list[tuple[float, np.ndarray]] = []
    scale, above = first_scale, frames
    while min(height, width) * scale >= CELL:
        size = (int(width * scale + 1), int(height * scale + 1))
        above = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR) for frame in above])
        levels.append((scale, above))
        scale *= PYRAMID_FACTOR
    return levels


def _filling_level(frames: Sequence[np.ndarray], above: np.ndarray) -> tuple[float, np.ndarray]:
    """One more level below the pyramid, in which P-net's cell fills the frame: for faces that do."""
    height, width = frames[0].shape[:2]
    scale = CELL / min(height, width)
    size = (int(width * scale + 1), int(height * scale + 1))
    level = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR) for frame in above])
    return scale, level


def _crops(frames: Sequence[np.ndarray], candidates: _Candidates, side: int) -> np.ndarray:
    """(N, side, side, 3) uint8: each box, resized.

    R-net's many crops only decide, so the fastest way will do; O-net's few give the boxes and landmarks,
    where averaged areas keep noise out.
    """
    crops = np.zeros((len(candidates.boxes), side, side, 3), np.uint8)
    corners = np.trunc(candidates.boxes).astype(int).tolist()
    for crop, box, owner in zip(crops, corners, candidates.frames.tolist(), strict=True):
        part = _padded_part(frames[owner], *box)
        if part.size:
            average = side == FINAL_SIDE and min(part.shape[:2]) >= side
            interpolation = cv2.INTER_AREA if average else cv2.INTER_LINEAR
            cv2.resize(part, (side, side), dst=crop, interpolation=interpolation)
    return crops


def _padded_part(frame: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """The pixels x0 to x1, y0 to y1 (from 1, inclusive), black outside the frame; empty if all lie there.

    As in the authors' program. facenet-pytorch stretches what is inside over the crop instead, which puts
    the box and landmarks of a face that leaves the picture beside it.
    """
    height, width = frame.shape[:2]
    left, top, right, bottom = max(1 - x0, 0), max(1 - y0, 0), max(x1 - width, 0), max(y1 - height, 0)
    part = frame[y0 + top - 1 : max(y1 - bottom, 0), x0 + left - 1 : max(x1 - right, 0)]
    if part.size and (left or top or right or bottom):
        return cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_CONSTANT)
    return part


def _nms(candidates: _Candidates, threshold: float) -> np.ndarray:
    """Indices that stay, per frame, by intersection over union."""
    if not len(candidates.boxes):
        return np.zeros(0, np.int64)
    boxes = candidates.boxes.astype(np.float64)
    corners_and_sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(
        corners_and_sizes.tolist(), candidates.scores.tolist(), candidates.frames.tolist(), 0.0, threshold
    )
    return np.asarray(kept, np.int64)


def _nms_by_smaller(candidates: _Candidates, threshold: float) -> np.ndarray:
    """Indices that stay, per frame, by intersection over the smaller box: a box inside another goes."""
    boxes = candidates.boxes
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    kept: list[int] = []
    for index in np.argsort(-candidates.scores, kind="stable"):
        rivals = [other for other in kept if candidates.frames[other] == candidates.frames[index]]
        low = np.maximum(boxes[rivals, :2], boxes[index, :2])
        high = np.minimum(boxes[rivals, 2:], boxes[index, 2:])
        common = np.clip(high - low + 1, 0, None).prod(axis=1)
        if not (common > threshold * np.minimum(areas[rivals], areas[index])).any():
            kept.append(int(index))
    return np.array(kept, dtype=np.int64)


def _apart(candidates: _Candidates, others: _Candidates) -> np.ndarray:
    """Indices of the candidates that are no face among the others, by intersection over union."""
    chosen = []
    for index, box in enumerate(candidates.boxes):
        rivals = others.boxes[others.frames == candidates.frames[index]]
        low, high = np.maximum(rivals[:, :2], box[:2]), np.minimum(rivals[:, 2:], box[2:])
        common = np.clip(high - low, 0, None).prod(axis=1)
        union = (rivals[:, 2:] - rivals[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod() - common
        if not (common > SAME_FACE * union).any():
            chosen.append(index)
    return np.array(chosen, np.int64)


def _shifted(boxes: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Each corner moved by a part of the box's width or height."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + shifts * np.tile(sides, 2)


def _squared(boxes: np.ndarray) -> np.ndarray:
    """The longer side for both, around the same centre."""
    sides = boxes[:, 2:] - boxes[:, :2]
    centers = boxes[:, :2] + sides / 2
    half = sides.max(axis=1, keepdims=True) / 2
    return np.concatenate([centers - half, centers + half], axis=1).astype(np.float32)
