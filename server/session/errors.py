"""What can be wrong with a request to a session.

LoomisError
├── NoSession          there is no such session, or it is over
├── TooManySessions    the server has no room for another
├── BadEdit            an edit makes no sense for the graph; nothing was changed
├── Conflict           the graph was changed in the meantime
├── NoStep             there is nothing to undo, or to redo
└── NotRemembered      a value was asked for that is not computed, or is gone
"""

from engine.errors import LoomisError


class NoSession(LoomisError):
    code = "no_session"


class TooManySessions(LoomisError):
    code = "too_many_sessions"


class BadEdit(LoomisError):
    code = "bad_edit"


class Conflict(LoomisError):
    code = "conflict"


class NoStep(LoomisError):
    code = "no_step"


class NotRemembered(LoomisError):
    code = "not_remembered"
