"""The id of a job in a path: any text. A slash in it is sent as ``%2F``, and is a slash again when a route is chosen.

What goes on after the id, as in ``/jobs/ID/cancel``, has to stand before ``/jobs/ID`` in a list of routes.
"""

from starlette.convertors import Convertor, register_url_convertor


class IdConvertor(Convertor[str]):
    """Takes everything up to what follows in the path."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        """Return the id."""
        return value

    def to_string(self, value: str) -> str:
        """Return the id."""
        return value


register_url_convertor("id", IdConvertor())
JOB = "{id:id}"
"""Stands for the id in the path of a route."""
