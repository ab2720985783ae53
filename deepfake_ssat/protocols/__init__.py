"""The parts of ``cross-manipulation`` and ``cross-dataset``: folds, their records, the official data."""
