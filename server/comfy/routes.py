"""All routes of ComfyUI."""

from starlette.routing import BaseRoute

from server.comfy import (
    extensions,
    features,
    history,
    jobs,
    models,
    object_info,
    prompt,
    queue,
    settings,
    socket,
    system,
    upload,
    userdata,
    view,
)
from server.comfy.v2 import routes as v2

MODULES = (
    extensions, prompt, queue, history, jobs, object_info, view, upload, models, system, features, settings, userdata,
    socket,
)  # fmt: skip
ROUTES: list[BaseRoute] = [route for module in (*MODULES, v2) for route in module.ROUTES]
