"""Damages video files the way disks and downloads do."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np


def packet_places(path: Path) -> list[tuple[int, int]]:
    """(position, size) in the file of each packet of the video track, in file order."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.video[0])
        return [(packet.pos, packet.size) for packet in packets if packet.size and packet.pos is not None]


def zero_last_packets(path: Path, count: int) -> Path:
    """Overwrite the last packets with zeros, as an interrupted download that reserved its space does."""
    data = bytearray(path.read_bytes())
    for position, size in packet_places(path)[-count:]:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    return path


def scramble_middle(path: Path, num_bytes: int) -> Path:
    """Overwrite bytes in the middle of the file with noise."""
    data = bytearray(path.read_bytes())
    start = (len(data) - num_bytes) // 2
    noise = np.random.default_rng(0).integers(0, 256, num_bytes, dtype=np.uint8)
    data[start : start + num_bytes] = noise.tobytes()
    path.write_bytes(data)
    return path


def cut_in_half(path: Path) -> Path:
    """Keep the first half of the file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path
