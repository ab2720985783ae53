"""Face clips of one manifest, or of several mixed by weight, as an experiment's data sets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deepfake_ssat.clips.aligned import AlignedPairs
from deepfake_ssat.clips.augment import ClipAugmentation, MakeViews
from deepfake_ssat.clips.dataset import FaceClipDataset
from deepfake_ssat.clips.mixture import JoinedClips, MixedClips, WeightedSource
from deepfake_ssat.config import (
    Experiment,
    ExtractionSettings,
    FaceClips,
    Mixture,
    MixtureSource,
    NetworkSettings,
)
from deepfake_ssat.errors import ConfigError, ManifestError
from deepfake_ssat.manifest import Manifest, check_leaks, load_manifest, people, select
from deepfake_ssat.records import FAKE, REAL, ManifestRow
from deepfake_ssat.training.examples import Examples


@dataclass(frozen=True)
class _Source:
    """One manifest and what is taken of it."""

    settings: FaceClips | MixtureSource
    manifest: Manifest
    train: Sequence[ManifestRow]
    val: Sequence[ManifestRow]


def load_face_clips(
    experiment: Experiment,
    data: FaceClips | Mixture,
    augmentation: ClipAugmentation | None,
    views: MakeViews | None = None,
) -> Examples:
    """The data sets; raises DeepfakeError in one line where sources, or they and the model, do not fit."""
    chosen = data.sources if isinstance(data, Mixture) else {"": data}
    sources = {name: _read(settings) for name, settings in chosen.items()}
    for source in sources.values():
        _require_clips_for(experiment.model, source)
    contract = _shown({name: source.manifest for name, source in sources.items()}, data.margin)
    if len(sources) > 1:
        check_leaks(row for source in sources.values() for row in (*source.train, *source.val))
    training = {
        name: _training_set(source, contract, experiment, augmentation, views)
        for name, source in sources.items()
    }
    validating = [
        _data_set(source, source.val, source.settings.val_clips_per_face, contract, experiment, None, views)
        for source in sources.values()
        if source.val
    ]
    if isinstance(data, Mixture):
        weighted = [
            WeightedSource(name, training[name], source.weight, source.balanced_sampling)
            for name, source in data.sources.items()
        ]
        train = MixedClips(weighted, data.items_per_epoch, experiment.seed)
        val = JoinedClips(validating)
    else:
        (train,), (val,) = training.values(), validating
    if experiment.objective.classifies:
        _require_both_kinds(val.labels)
    return Examples(
        train,
        val,
        contract,
        _hash([source.manifest.hash for source in sources.values()]),
        {
            "train": people(row for source in sources.values() for row in source.train),
            "val": people(row for source in sources.values() for row in source.val),
        },
        _notes(train, training),
    )


def _read(settings: FaceClips | MixtureSource) -> _Source:
    manifest = load_manifest(settings.manifest)
    validates = isinstance(settings, FaceClips) or settings.validates
    return _Source(
        settings,
        manifest,
        select(manifest.rows, settings.train),
        select(manifest.rows, settings.val) if validates else (),
    )


def _shown(manifests: Mapping[str, Manifest], margin: float | None) -> ExtractionSettings:
    """The contract of what the network sees: that of clips cut out of videos where a source has some.

    Crops that came as they are tell their margin only. Raises ContractError for what cannot be shown so.
    """
    contracts = {name: manifest.contract for name, manifest in manifests.items()}
    first = min(contracts, key=lambda name: contracts[name].already_cut)
    tightest = min(contract.margin for contract in contracts.values())
    shown = contracts[first].model_copy(update={"margin": tightest if margin is None else margin})
    for name, contract in contracts.items():
        ours = "data.margin" if margin is not None and contract.margin < margin else f"source {first}"
        shown.require_readable(contract, ours=ours, theirs=f"{manifests[name].root}")
    return shown


def _training_set(
    source: _Source,
    contract: ExtractionSettings,
    experiment: Experiment,
    augmentation: ClipAugmentation | None,
    views: MakeViews | None,
) -> FaceClipDataset | AlignedPairs:
    settings = source.settings
    if settings.pairs == "none":
        return _data_set(
            source,
            source.train,
            settings.clips_per_face,
            contract,
            experiment,
            augmentation,
            views,
            training=True,
        )
    return AlignedPairs(
        source.manifest,
        source.train,
        frames=experiment.model.frames,
        image_size=experiment.model.image_size,
        clips_per_face=settings.clips_per_face,
        augmentation=augmentation,
        seed=experiment.seed,
        views=views,
        part=contract.part_of(source.manifest.contract),
    )


def _data_set(
    source: _Source,
    rows: Sequence[ManifestRow],
    clips_per_face: int,
    contract: ExtractionSettings,
    experiment: Experiment,
    augmentation: ClipAugmentation | None,
    views: MakeViews | None,
    training: bool = False,
) -> FaceClipDataset:
    return FaceClipDataset(
        source.manifest,
        rows,
        frames=experiment.model.frames,
        image_size=experiment.model.image_size,
        clips_per_face=clips_per_face,
        augmentation=augmentation,
        seed=experiment.seed,
        training=training,
        pseudo_fakes=source.settings.pseudo_fakes,
        views=views,
        part=contract.part_of(source.manifest.contract),
    )


def _hash(hashes: Sequence[str]) -> str:
    """Of the one manifest, or of all of a mixture in their order."""
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _notes(
    train: FaceClipDataset | AlignedPairs | MixedClips,
    training: Mapping[str, FaceClipDataset | AlignedPairs],
) -> tuple[str, ...]:
    """How many of each source's items an epoch shows, and what of it stands in pairs."""
    notes = []
    for name, examples in training.items():
        pairs = f"pairs: {examples.count}" if isinstance(examples, AlignedPairs) else ""
        if isinstance(train, MixedClips):
            shown = f"source {name}: {train.quotas[name]} of an epoch's items, drawn from {len(examples)}"
            notes.append(f"{shown}; {pairs}" if pairs else shown)
        elif pairs:
            notes.append(pairs)
    return tuple(notes)


def _require_clips_for(model: NetworkSettings, source: _Source) -> None:
    contract, root = source.manifest.contract, source.manifest.root
    for name, given, needed in (("channels", model.channels, 3), ("num_classes", model.num_classes, 2)):
        if given != needed:
            raise ConfigError(f"model.{name} is {given}, face clips need {needed}; set model.{name}={needed}")
    if contract.already_cut and model.frames != 1:
        raise ConfigError(
            f"model.frames is {model.frames}, the crops of {root} are single pictures; set model.frames=1, "
            "or run preprocess on the videos"
        )
    if contract.already_cut and source.settings.pseudo_fakes is not None:
        raise ConfigError(
            f"pseudo_fakes need landmarks, the crops of {root} were taken as they are, without; leave "
            "pseudo_fakes out, or run preprocess without --crops"
        )
    if model.frames > contract.frames:
        raise ConfigError(
            f"model.frames is {model.frames}, the clips were extracted for {contract.frames}; "
            f"run preprocess with --frames {model.frames}, or set model.frames={contract.frames}"
        )


def _require_both_kinds(labels: list[int]) -> None:
    num_real, num_fake = labels.count(REAL), labels.count(FAKE)
    if not num_real or not num_fake:
        raise ManifestError(
            f"validation clips are {num_real} real and {num_fake} fake, choosing the best weights needs "
            "both; widen data.val"
        )
