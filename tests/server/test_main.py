"""The command while it is loaded."""

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

INTERRUPTED = """
import os, signal, sys

class Interrupt:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "server.command":
            os.kill(os.getpid(), signal.SIGINT)

from server.__main__ import main
sys.meta_path.insert(0, Interrupt)
main()
"""


def test_ctrl_c_while_it_is_loaded_ends_it_without_a_traceback():
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (-signal.SIGINT, "", "")


def test_the_package_is_the_command():
    ran = subprocess.run(
        [sys.executable, "-m", "server", "--version"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout.split()[0], ran.stderr) == (0, "loomis", "")
