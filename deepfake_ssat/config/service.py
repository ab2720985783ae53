"""The limits of the local service: each one keeps a stranger's file from costing more than it may."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deepfake_ssat.errors import ConfigError

MEGABYTE = 1_000_000


class ServiceLimits(BaseModel):
    """What one upload, one job and the whole service may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    upload_megabytes: float = Field(default=500, gt=0)
    """Largest file that is accepted."""
    upload_seconds: float = Field(default=600, gt=0)
    """An upload that takes longer is cut off."""
    video_seconds: float = Field(default=900, gt=0)
    """Longest video, by its container's word; one that hides its length ends at ``job_seconds``."""
    frame_megapixels: float = Field(default=36, gt=0)
    """Largest frame: 36 lets 8K through."""
    concurrent_jobs: int = Field(default=1, ge=1)
    """Videos analysed at the same time."""
    concurrent_uploads: int = Field(default=16, ge=1)
    """Uploads received at the same time."""
    queue_length: int = Field(default=100, ge=1)
    """Jobs that may wait; more are answered with 429."""
    job_seconds: float = Field(default=900, gt=0)
    """Wall-clock time of one analysis."""
    job_memory_megabytes: float = Field(default=4000, gt=0)
    """Private memory of one analysis."""
    keep_hours: float = Field(default=24, gt=0)
    """Results are deleted after this; the video itself goes when its job ends."""


def parse_limits(changes: Sequence[str]) -> ServiceLimits:
    """The usual limits with ``name=value`` changes; raises ConfigError naming the limit or all there are."""
    values = {name: value for name, _, value in (change.partition("=") for change in changes)}
    unknown = values.keys() - ServiceLimits.model_fields.keys()
    if unknown:
        names = ", ".join(ServiceLimits.model_fields)
        raise ConfigError(f"--limit {min(unknown)}: no such limit; there are {names}")
    try:
        return ServiceLimits.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(f"--limit {problem['loc'][0]}={problem['input']}: {problem['msg']}") from error
