"""config prints the whole that train would store, with bases, overlay and changes resolved."""

import pytest
import yaml
from typer.testing import CliRunner

from deepfake_ssat.cli import app
from deepfake_ssat.config import load_experiment
from tests.training.runs import tiny_values, write_config


@pytest.fixture
def config(tmp_path):
    write_config(tmp_path / "base.yaml", tiny_values(tmp_path))
    (tmp_path / "small.yaml").write_text("trainer: {epochs: 1}\noptimizer: {warmup_epochs: 0}\n")
    (tmp_path / "own.yaml").write_text("base: base.yaml\nsmoke: small.yaml\nseed: 7\n")
    return tmp_path / "own.yaml"


def printed(*words):
    return CliRunner().invoke(app, ["config", *map(str, words)])


def test_whole_configuration_is_printed(config, tmp_path):
    result = printed(config, "--smoke", "--set", "optimizer.batch_size=9")
    assert result.exit_code == 0
    again = tmp_path / "again.yaml"
    again.write_text(result.stdout)
    assert load_experiment(again) == load_experiment(config, ["optimizer.batch_size=9"], smoke=True)
    values = yaml.safe_load(result.stdout)
    assert (values["seed"], values["trainer"]["epochs"], values["optimizer"]["eps"]) == (7, 1, 1e-8)


def test_wrong_key_is_one_line_with_its_file(config):
    config.write_text(config.read_text() + "sede: 1\n")
    result = printed(config)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {config}: sede is no key; did you mean seed?")
