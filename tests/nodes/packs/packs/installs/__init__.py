"""A pack that installs what it wants."""

import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "pip", "install", "something"], stderr=subprocess.DEVNULL)
