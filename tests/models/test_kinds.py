from typing import get_args

from deepfake_ssat.config.baselines import NetworkSettings
from deepfake_ssat.models.kinds import KINDS


def test_every_network_that_a_configuration_may_name_can_be_built():
    by_kind = {settings.model_fields["kind"].default: settings for settings in get_args(NetworkSettings)}
    assert {kind: entry.settings for kind, entry in KINDS.items()} == by_kind
