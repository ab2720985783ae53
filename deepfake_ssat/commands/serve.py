"""``deepfake-ssat serve``: the local page and API, on this machine only unless told otherwise."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from rich.console import Console

from deepfake_ssat.config.service import ServiceLimits
from deepfake_ssat.errors import ConfigError

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
    """Serves until it is stopped; returns 0.

    Raises DeepfakeError, before anything listens, for a checkpoint or an address that cannot be used.
    """
    from deepfake_ssat.commands.detect import parse_clips

    num_clips = parse_clips(clips)
    _check_host(host, allow_remote)
    from deepfake_ssat.inference.extras import require_packages

    require_packages("serve", "serve", ("fastapi", "uvicorn"))
    import uvicorn

    from deepfake_ssat.inference.description import checkpoint_record
    from deepfake_ssat.inference.detector import load_detector
    from deepfake_ssat.serving.app import ServiceSettings, create_app

    detector = load_detector(checkpoint, device)
    settings = ServiceSettings(
        folder=folder or default_folder(),
        limits=limits,
        model={**checkpoint_record(detector), "contract": detector.contract.model_dump(mode="json")},
        analysis_options=[
            str(detector.path.resolve()),
            device,
            "all" if num_clips is None else str(num_clips),
        ],
        api_key=os.environ.get(KEY_VARIABLE) or None,
        hosts=["*"] if allow_remote else ["127.0.0.1", "localhost", "[::1]", host],
    )
    Console(highlight=False).print(
        f"deepfake-ssat is at http://{host}:{port}/ (jobs in {settings.folder}); Ctrl+C ends it",
        soft_wrap=True,
    )
    uvicorn.run(create_app(settings), host=host, port=port, log_level="warning", server_header=False)
    return 0


def default_folder() -> Path:
    """Where jobs wait and results lie: the user's own state folder."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "deepfake-ssat" / "serve"


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
