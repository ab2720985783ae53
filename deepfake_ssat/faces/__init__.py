"""From frames to face clips: detection, tracks, crops."""
