"""A LoRA and a ControlNet for the model that ships, trained on pictures that it makes itself.

``python -m nodes.training.additions FOLDER`` writes them below a models folder; no other data is needed.
"""
