"""Manipulated versions of genuine face clips, for training detectors."""

from deepfake_ssat.clips.pseudo_fakes.generate import PseudoFakePair, pseudo_fake_pair

__all__ = ["PseudoFakePair", "pseudo_fake_pair"]
