import subprocess
import sys
from pathlib import Path

from server.report import EXIT_CODES

ROOT = Path(__file__).parents[2]
MAIN = "from server.cli import main; main()"


def python(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *args],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "latin-1"},
        check=False,
    )


def test_importing_the_command_loads_nothing_heavy():
    code = "import sys, server.cli; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = python(code).stdout
    assert "'server'" in loaded
    for name in ("torch", "starlette", "uvicorn", "networkx", "rich", "yaml"):
        assert f"'{name}'" not in loaded


def test_a_remembered_run_loads_nothing_heavy(loomis, workflow):
    assert loomis("run", workflow).code == 0
    code = f"import atexit, sys; atexit.register(lambda: print('torch' in sys.modules, 'rich' in sys.modules)); {MAIN}"
    ran = python(code, "run", workflow, "--data", "data/loomis")
    assert ran.stdout == "a fox\nFalse False\n"
    assert "2 remembered" in ran.stderr


def test_help_states_exit_codes_and_settings(loomis):
    ran = loomis("--help")
    assert ran.code == 0
    for code, meaning in EXIT_CODES.items():
        assert f"{code:<3} {meaning}" in ran.out
    assert "LOOMIS_DEVICE" in ran.out


def test_version(loomis):
    ran = loomis("--version")
    assert (ran.code, ran.out.split()[0]) == (0, "loomis")


def test_wrong_usage(loomis):
    assert loomis("rnu").code == 2
    assert loomis("run").code == 2
    assert loomis("run", "a.json", "--no-such-flag").code == 2


def test_exit_codes_reach_the_shell(here):
    ran = python(MAIN, "run", "missing.json")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert ran.stderr.startswith("error: missing.json can't be opened")
    assert "Traceback" not in ran.stderr


def test_a_text_that_the_terminal_has_no_letters_for_is_escaped(here):
    ran = python(MAIN, "run", "狐.json")
    assert ran.returncode == 3
    assert "\\u72d0.json" in ran.stderr


def test_a_reader_that_goes_away_is_no_traceback(here):
    command = f'"{sys.executable}" -c "{MAIN}" nodes | head -1'
    ran = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ran.stdout.split()[0], ran.stderr) == ("category", "")
