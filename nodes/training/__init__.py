"""Training: from a folder of pictures with captions to one checkpoint file, from nothing or from a checkpoint."""
