"""What can be wrong with a message.

LoomisError
└── MessageError       a message is no command
    ├── UnknownCommand   there is no command of that name
    └── TooLarge         a message has more bytes than the server takes
"""

from engine.errors import LoomisError


class MessageError(LoomisError):
    code = "bad_message"


class UnknownCommand(MessageError):
    code = "unknown_command"


class TooLarge(MessageError):
    code = "too_large"
