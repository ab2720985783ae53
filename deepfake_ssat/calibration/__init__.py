"""The parts of ``calibrate``: which videos, their logits, and the decision that follows from them."""
