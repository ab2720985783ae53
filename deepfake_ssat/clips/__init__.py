"""Clips: stored, read back as training examples, augmented."""

import os

# Albumentations asks a server for its newest version when imported, unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
