import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import StoreError
from server.jobs.lock import FolderLock

HOLD = """
import sys, time
from pathlib import Path
from server.jobs.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]), "http://127.0.0.1:1")
print("held", flush=True)
time.sleep(60)
"""


def test_the_second_is_refused_and_told_who_is_there(tmp_path: Path):
    with FolderLock(tmp_path, "http://127.0.0.1:8188"), pytest.raises(StoreError) as refused:
        FolderLock(tmp_path, "http://127.0.0.1:9999")
    assert f"process {os.getpid()} on " in refused.value.message
    assert "at http://127.0.0.1:8188" in refused.value.message


def test_a_folder_that_was_let_go_can_be_had(tmp_path: Path):
    FolderLock(tmp_path, "a").close()
    FolderLock(tmp_path, "b").close()


def test_the_death_of_its_holder_frees_a_folder(tmp_path: Path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match=f"process {holder.pid} on"):
            FolderLock(tmp_path, "here")
        holder.send_signal(signal.SIGKILL)
    FolderLock(tmp_path, "here").close()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="can't be used"):
        FolderLock(tmp_path / "file" / "data", "here")
