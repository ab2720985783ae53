"""Several trainings or checkpoints: cross-manipulation, cross-dataset, comparison, tables of the paper."""
