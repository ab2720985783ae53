"""The version, alone in its file so that building needs to import nothing else."""

__version__ = "0.2.0"
