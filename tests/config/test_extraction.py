"""The extraction contract: its hash, and which clips can be shown under it."""

import pytest

from deepfake_ssat.config import ExtractionSettings
from deepfake_ssat.errors import ContractError


def test_hash_of_a_contract_without_crops_and_compression_is_what_it_always_was():
    assert ExtractionSettings().hash() == "ac9cf3f7ff92a082"
    assert {"already_cut", "clip_crf"}.isdisjoint(ExtractionSettings().model_dump(mode="json"))
    assert ExtractionSettings(clip_crf=12).model_dump(mode="json")["clip_crf"] == 12
    assert ExtractionSettings(clip_crf=12).hash() != ExtractionSettings().hash()
    assert ExtractionSettings(already_cut=True).model_dump(mode="json")["already_cut"] is True


def test_looser_clips_can_be_shown_and_tighter_ones_not():
    tight, loose = ExtractionSettings(margin=0.0), ExtractionSettings(margin=0.3)
    tight.require_readable(loose, ours="a", theirs="b")
    assert tight.part_of(loose) == pytest.approx(1 / 1.3)
    with pytest.raises(ContractError, match=r"margin is 0\.3 in a and 0 in b, and what was cut away cannot"):
        loose.require_readable(tight, ours="a", theirs="b")


def test_of_crops_the_margin_alone_counts():
    crops = ExtractionSettings(margin=0.3, already_cut=True)
    searched = ExtractionSettings(margin=0.3, crop_size=160, detect_every=4)
    crops.require_readable(searched, ours="a", theirs="b")
    searched.require_readable(crops, ours="a", theirs="b")
    with pytest.raises(ContractError, match="crop_size is 160 in a and 224 in b; detect_every is 4"):
        searched.require_readable(ExtractionSettings(margin=0.5), ours="a", theirs="b")


def test_compressed_clips_are_read_under_a_contract_without_but_never_mixed_with_others():
    plain, compressed = ExtractionSettings(), ExtractionSettings(clip_crf=12)
    plain.require_readable(compressed, ours="checkpoint", theirs="clips")
    compressed.require_readable(plain, ours="checkpoint", theirs="clips")
    with pytest.raises(ContractError, match="clip_crf is 0 in a and 12 in b"):
        plain.require_same(compressed, ours="a", theirs="b")
