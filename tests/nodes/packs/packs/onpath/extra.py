"""Loaded by its path."""

import folder_paths

WHERE = folder_paths.__name__
