"""All routes of ComfyUI."""

from starlette.routing import BaseRoute

from server.comfy import features, history, object_info, prompt, queue, socket

ROUTES: list[BaseRoute] = [
    *prompt.ROUTES,
    *queue.ROUTES,
    *history.ROUTES,
    *object_info.ROUTES,
    *features.ROUTES,
    *socket.ROUTES,
]
