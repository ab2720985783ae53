"""Weights that ``init`` names on the Hugging Face hub, fetched once and then taken from its cache."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from deepfake_ssat.errors import CheckpointError, ConfigError, install
from deepfake_ssat.models.weight_files import FOLDER_FILES

PREFIX = "hf:"
NAME = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


def local_weights(path: Path) -> Path:
    """A path as it is, or the file of weights behind ``hf:OWNER/NAME[@REVISION]``.

    huggingface_hub's settings hold: its cache, its token, and HF_HUB_OFFLINE, with which only the cache is
    looked at. safetensors are preferred; a file of torch is later read as tensors only. Raises ConfigError
    for a name that is none, or without the package; CheckpointError where the hub gives no such file.
    """
    text = path.as_posix()
    if not text.startswith(PREFIX):
        return path
    name = NAME.fullmatch(text)
    if name is None:
        raise ConfigError(f"init {text}: write hf:OWNER/NAME, or hf:OWNER/NAME@REVISION")
    if importlib.util.find_spec("huggingface_hub") is None:
        raise ConfigError(f"init {text} needs huggingface_hub: {install('hub')}")
    return _fetch(name["repository"], name["revision"], text)


def _fetch(repository: str, revision: str | None, text: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    unreachable = False
    for file in FOLDER_FILES:
        try:
            return Path(hf_hub_download(repository, file, revision=revision))
        except EntryNotFoundError as error:
            unreachable = unreachable or isinstance(error, LocalEntryNotFoundError)
        except (HfHubHTTPError, OSError, ValueError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise CheckpointError(
                f"init {text}: the hub does not give it ({reason}); check name, revision and rights"
            ) from error
    if unreachable:
        raise CheckpointError(
            f"init {text}: is not in the cache, and the hub cannot be reached (or HF_HUB_OFFLINE is set); "
            f"fetch it where there is a network: hf download {repository}"
        )
    raise CheckpointError(
        f"init {text}: has neither {' nor '.join(FOLDER_FILES)}; give one with its weights in one file"
    )
