"""The parts of ``evaluate``: which videos, their scores, the threshold, what the report says of the run."""
