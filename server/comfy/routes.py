"""All routes of ComfyUI."""

from starlette.routing import BaseRoute

from server.comfy import history, object_info, prompt, queue

ROUTES: list[BaseRoute] = [*prompt.ROUTES, *queue.ROUTES, *history.ROUTES, *object_info.ROUTES]
