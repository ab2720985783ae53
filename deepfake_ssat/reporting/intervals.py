"""How metrics' intervals were made; apart from documents.py, which detect needs without scikit-learn."""

from deepfake_ssat.metrics import CONFIDENCE, RESAMPLES

INTERVALS = {"confidence": CONFIDENCE, "resamples": RESAMPLES}
"""As reports for programs give them."""
