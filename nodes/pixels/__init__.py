"""Pixel mathematics: pure functions over torch tensors. Node files reach these modules lazily."""
