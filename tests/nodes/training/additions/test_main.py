"""The command makes both models, and the ready workflows run with them."""

from pathlib import Path

import pytest

import nodes
from engine import Engine, Folders, Settings
from nodes.training.additions.__main__ import MAKERS, main

ROOT = Path(__file__).parents[4]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_both_are_made_and_run(tmp_path, capsys):
    main([str(tmp_path / "models"), "--pictures", "8", "--steps", "2", "--batch", "2", "--device", "cpu"])
    made = capsys.readouterr().out.splitlines()
    assert made == [str(tmp_path / "models" / place) for _, place in MAKERS.values()]
    folders = Folders((tmp_path / "models", nodes.EMBEDDED), ROOT / "workflows" / "input", tmp_path / "out")
    with Engine(nodes.vocabulary(), folders=folders, settings=Settings(device="cpu")) as engine:
        for name in MAKERS:
            assert engine.run(ROOT / "workflows" / f"{name}.json", {"Sampler.steps": 2}).outputs
