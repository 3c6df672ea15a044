"""Talk to a server from Python: jobs, and sessions on graphs.

::

    with Client("http://127.0.0.1:8188") as client:
        job = client.submit(workflow, {"KSampler.seed": 7})
        for event in client.watch(job.id):
            print(event)

        session = client.open(workflow)
        session.edit(SetInput(op="set", node="3", input="seed", value=8))
        session.run()
"""

from server.client.client import Client
from server.client.errors import Unreachable
from server.client.session import Session

__all__ = ["Client", "Session", "Unreachable"]
