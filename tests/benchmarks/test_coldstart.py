"""Every command starts and ends. It takes seconds: each is a new Python, and two import torch."""

from argparse import Namespace

from benchmarks.coldstart import measure


def test_every_command_is_measured_against_python_and_torch(quick: Namespace) -> None:
    rows = {row.name: row for row in measure(quick)}

    assert list(rows) == [
        "python -c pass", "import torch", "import engine.run", "import nodes", "import server.cli", "loomis --help",
        "loomis plan", "loomis run, remembered",
    ]  # fmt: skip
    assert rows["python -c pass"].ratios["python"] == rows["import torch"].ratios["torch"] == 1
    assert all(row.ratios["python"] > 1 for name, row in rows.items() if name != "python -c pass")
    assert (quick.scratch / "out" / "picture_00001_.png").exists()
