"""From a checkpoint and videos to verdicts."""
