"""What a user can cause: each error is one line that gives the value, the rule and the remedy."""


class DeepfakeError(Exception):
    """The base of everything a user can cause; the command line prints it and exits with code 2."""


class ConfigError(DeepfakeError):
    """A configuration, option or setting that is not allowed."""


class OutputError(DeepfakeError):
    """A file or folder that cannot be written, or must not be; it says nothing about any input."""


class MissingFileError(DeepfakeError, FileNotFoundError):
    """A file that is not there, or may not be read."""


class VideoError(DeepfakeError):
    """A video that cannot be opened or from which no frame can be decoded."""


class LinkError(DeepfakeError):
    """An address from which no video can be had."""


class CorpusError(DeepfakeError):
    """A data-set folder, split list or label file that breaks its layout or rules."""


class ManifestError(DeepfakeError):
    """A manifest that is damaged, empty after selection, or leaks an identity across splits."""


class ContractError(DeepfakeError):
    """Clips or a checkpoint made under another extraction contract."""


class CheckpointError(DeepfakeError):
    """A checkpoint that is damaged, of another kind, or fails its self-test."""


class TrainingError(DeepfakeError):
    """A training run that cannot go on: it diverged, or its folder belongs to another run."""


class TextError(DeepfakeError):
    """A list or table that is no text, or not of the form that it must have."""


def install(extra: str) -> str:
    """The command that brings an extra's packages, as a shell takes it."""
    return f"pip install 'deepfake-ssat[{extra}]'"
