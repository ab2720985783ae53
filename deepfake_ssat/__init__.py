"""deepfake-ssat: tells genuine face videos from manipulated ones, and says so when it cannot."""

from deepfake_ssat.version import __version__

__all__ = ["__version__", "load_detector"]


def __getattr__(name: str) -> object:
    """``load_detector``, imported when first asked for: importing the package stays instant."""
    if name == "load_detector":
        from deepfake_ssat.inference.detector import load_detector

        return load_detector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
