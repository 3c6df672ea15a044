import os
import subprocess
import sys

from engine.processes import is_dead, is_dead_here, local_name, this_process

SCRIPT = "from engine.processes import this_process; print(this_process())"


def test_this_process_lives():
    assert not is_dead(this_process())


def test_a_process_that_ended_is_dead():
    name = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True).stdout.strip()
    assert is_dead(name)


def test_an_earlier_life_of_the_same_pid_is_dead():
    host, pid, _ = this_process().rsplit("/", 2)
    assert int(pid) == os.getpid() and is_dead(f"{host}/{pid}/0000")


def test_nobody_can_tell_about_another_host_or_a_foreign_process():
    assert not is_dead("elsewhere/1/0000")
    host = this_process().rsplit("/", 2)[0]
    assert not is_dead(f"{host}/1/0000")


def test_a_local_name_is_told_alive_from_dead():
    pid, _ = local_name().split("-")
    assert not is_dead_here(local_name()) and is_dead_here(f"{pid}-0000")
