"""All routes of ComfyUI."""

from starlette.routing import BaseRoute

from server.comfy import (
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

MODULES = (
    prompt, queue, history, jobs, object_info, view, upload, models, system, features, settings, userdata, socket,
)  # fmt: skip
ROUTES: list[BaseRoute] = [route for module in MODULES for route in module.ROUTES]
