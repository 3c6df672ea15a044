"""Found on the path that the pack extended."""
