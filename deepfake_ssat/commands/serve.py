"""``deepfake-ssat serve``: the local page and API, on this machine only unless told otherwise."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from pathlib import Path
from typing import Any

from rich.console import Console

from deepfake_ssat.config.extraction import parse_clips
from deepfake_ssat.config.service import ServiceLimits
from deepfake_ssat.errors import CheckpointError, ConfigError, DeepfakeError
from deepfake_ssat.outputs import user_folder

ENDED, NOT_STARTED = 0, 1
KEY_VARIABLE = "DEEPFAKE_SSAT_API_KEY"


def run(
    checkpoint: Path | None,
    host: str,
    port: int,
    folder: Path | None,
    clips: str,
    device: str,
    allow_remote: bool,
    limits: ServiceLimits,
) -> int:
    """Serves until it is stopped; returns 0, or 1 where it could not start.

    The checkpoint is checked while it already answers. Raises DeepfakeError for a checkpoint, a folder or an
    address that cannot be used.
    """
    num_clips = parse_clips(clips)
    _check_host(host, allow_remote)
    if checkpoint is not None and not checkpoint.is_file():
        raise CheckpointError(f"{checkpoint}: no such file; give the best.safetensors of a training run")
    from deepfake_ssat.inference.extras import require_packages

    require_packages("serve", "serve", ("fastapi", "python_multipart", "uvicorn"))
    import uvicorn

    from deepfake_ssat.serving.app import ServiceSettings, create_app
    from deepfake_ssat.serving.connections import PromptProtocol
    from deepfake_ssat.serving.describe import describe
    from deepfake_ssat.serving.storage import JobFolders

    weights = checkpoint.resolve() if checkpoint else None
    refusals: list[DeepfakeError] = []

    def describe_or_end() -> dict[str, Any]:
        try:
            return describe(folders.root, weights, device, limits)
        except DeepfakeError as error:
            refusals.append(error)
            server.should_exit = True
            raise

    folders = JobFolders(folder or default_folder())
    settings = ServiceSettings(
        folder=folders.root,
        limits=limits,
        describe=describe_or_end,
        analysis_options=[str(weights or ""), device, "all" if num_clips is None else str(num_clips)],
        api_key=os.environ.get(KEY_VARIABLE) or None,
        hosts=["*"] if allow_remote else ["127.0.0.1", "localhost", "[::1]", host],
    )
    config = uvicorn.Config(
        create_app(settings), log_level="warning", server_header=False, http=PromptProtocol
    )
    server = uvicorn.Server(config)
    # Nothing in the folder is touched before this service has it, and its port, for itself.
    with folders.locked(), _listening(host, port) as listener:
        Console(highlight=False).print(
            f"deepfake-ssat is at http://{host}:{port}/ (jobs in {folders.root}); Ctrl+C ends it",
            soft_wrap=True,
        )
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    if refusals:
        raise refusals[0]
    return ENDED if server.started else NOT_STARTED


def _listening(host: str, port: int) -> socket.socket:
    """A socket that no other service has; raises ConfigError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise ConfigError(
            f"{host}, port {port} cannot be listened at ({reason}); give another --port or --host"
        ) from error


def default_folder() -> Path:
    """Where jobs wait and results lie: the user's own state folder."""
    return user_folder("XDG_STATE_HOME", ".local/state") / "serve"


def _check_host(host: str, allow_remote: bool) -> None:
    """Refuses to be reached from other machines unless that was asked for in so many words."""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local and not allow_remote:
        raise ConfigError(
            f"--host {host} can be reached from other machines; add --allow-remote if that is meant, and set "
            f"{KEY_VARIABLE} so that strangers cannot use it"
        )
