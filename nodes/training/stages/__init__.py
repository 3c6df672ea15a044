"""The stages of a training, one file each."""
