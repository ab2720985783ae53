"""The command lines that tools/kill_lab.py disturbs, and the small made-up data that they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from make_demo_videos import face_video, write_video

CONFIG = Path(__file__).parents[1] / "configs" / "video_ssat_075.yaml"
NUM_FRAMES = 20
CALIBRATION_FOLDERS = 3
"""With 2 + 8 validation videos each."""
SMALL = (
    "model.image_size=32",
    "model.encoder.depth=1",
    "optimizer.batch_size=8",
    "trainer.workers=1",
    "trainer.threads=1",
    "trainer.checkpoint_every_steps=1",
)
TINY_PICTURES = (
    "model.patch=7",
    "model.encoder.preset=null",
    "model.encoder.width=32",
    "model.encoder.depth=1",
    "model.encoder.heads=2",
    *SMALL[2:],
)


@dataclass(frozen=True)
class Inputs:
    """What the verbs are given."""

    folder: Path

    @property
    def corpus(self) -> Path:
        """Face videos, by split and label."""
        return self.folder / "corpus"

    @property
    def clips(self) -> Path:
        """The manifest's folder, with FaceForensics++'s four manipulations."""
        return self.folder / "clips"

    @property
    def for_calibration(self) -> list[Path]:
        """As many folders like it as ``calibrate`` asks for."""
        return [self.folder / f"calibration{number}" for number in range(CALIBRATION_FOLDERS)]

    @property
    def checkpoint(self) -> Path:
        """Of an undisturbed training."""
        return self.folder / "trained" / "out" / "checkpoints" / "best.safetensors"

    def make(self) -> None:
        """All but the checkpoint."""
        from deepfake_ssat.config import load_experiment
        from deepfake_ssat.protocols.made_up import make_up_data

        for number, split in enumerate(("train", "val", "test")):
            for label in ("real", "fake"):
                frames = face_video(number, manipulated=label == "fake", num_frames=NUM_FRAMES)
                write_video(self.corpus / split / label / f"{number}.mp4", frames)
        (self.corpus / "train" / "real" / "text.mp4").write_text("no video")
        experiment = load_experiment(CONFIG, SMALL, smoke=True)
        for folder in (self.clips, *self.for_calibration):
            make_up_data(experiment, folder / "manifest.csv")


def _training(inputs: Inputs) -> list[str]:
    changes = (*SMALL, f"data.manifest={inputs.clips / 'manifest.csv'}")
    return [str(CONFIG), "--smoke", *(word for change in changes for word in ("--set", change))]


def _on_clips(inputs: Inputs, *folders: Path) -> list[str]:
    return [str(inputs.checkpoint), *map(str, folders), "--device", "cpu", "--threads", "1"]


def _detect(inputs: Inputs) -> list[str]:
    words = ["detect", str(inputs.corpus), "--checkpoint", str(inputs.checkpoint), "--device", "cpu"]
    return [*words, "--jsonl", "out/out.jsonl", "--resume", "--json", "out/out.json", "--threads", "1"]


def _reproduce(inputs: Inputs) -> list[str]:
    words = ["reproduce", "table5", "--smoke", "--variants", "held_out", "--rows", "ssl_finetune"]
    return [*words, *(word for change in TINY_PICTURES for word in ("--set", change)), "--out", "out"]


VERBS: dict[str, Callable[[Inputs], list[str]]] = {
    "preprocess": lambda inputs: [
        *("preprocess", "folder", str(inputs.corpus), "--workers", "2", "--crop-size", "64", "--out", "out")
    ],
    "train": lambda inputs: ["train", *_training(inputs), "--out", "out"],
    "cross-manipulation": lambda inputs: [
        *("cross-manipulation", *_training(inputs), "--hold-out", "Deepfakes", "--hold-out", "FaceSwap"),
        *("--out", "out"),
    ],
    "evaluate": lambda inputs: [
        *("evaluate", *_on_clips(inputs, inputs.clips), "--batch", "1", "--perturb", "blur", "--out", "out")
    ],
    "calibrate": lambda inputs: [
        *("calibrate", *_on_clips(inputs, *inputs.for_calibration), "--batch", "1"),
        *("--out", "out/calibrated.safetensors"),
    ],
    "reproduce": _reproduce,
    "detect": _detect,
    "detect --workers": lambda inputs: [*_detect(inputs), "--workers", "2"],
    "analyse": lambda inputs: [
        *("analyse", str(inputs.checkpoint), "--data", str(inputs.clips), "--device", "cpu"),
        *("--samples", "8", "--hessian-batches", "1", "--hessian-steps", "5", "--out", "out"),
    ],
    "export": lambda inputs: ["export", str(inputs.checkpoint), "--out", "out/detector.onnx"],
}
"""By name, the words of the command line; all write into ``out``."""
