"""The vocabulary of nodes. Importing it imports no torch: the codec of tensors is loaded when the first one is met."""

from engine.values import register_codec

register_codec("torch.Tensor", "nodes.tensors")
