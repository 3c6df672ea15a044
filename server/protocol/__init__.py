"""The native protocol: messages, their byte form, their schema. No sockets in here.

A client sends commands and gets exactly one reply to each; besides, the server sends events. All are pydantic models
in two unions, ``Command`` and ``Message``. docs/protocol.md tells how they are used.
"""
