"""A pack with routes, scripts and events of its own."""

import os

from aiohttp import web

from server import PromptServer

routes = PromptServer.instance.routes
WEB_DIRECTORY = "./js"


@routes.get("/web_pack/hello/{name:.+}")
async def hello(request):
    return web.json_response({"name": request.match_info["name"], "q": request.query.get("q"), "calls": Count.calls})


@routes.post("/web_pack/set")
async def set_calls(request):
    body = await request.json()
    if body["calls"] < 0:
        return web.Response(status=422, text="no", headers={"x-why": "negative"})
    Count.calls = body["calls"]
    return web.Response(status=204)


@routes.get("/web_pack/plain")
def plain(request):
    return web.Response(text=request.headers["x-asked"])


@routes.get("/web_pack/fails")
async def fails(request):
    raise ValueError("it does")


@routes.get("/web_pack/large")
async def large(request):
    return web.Response(body=bytes(2**25 + 1))


def on_prompt(body):
    for node in body["prompt"].values():
        start = node["inputs"].get("start")
        if start == 97:
            return None
        if start == 98:
            raise ValueError("not this one")
        if start == 99:
            node["inputs"]["start"] = 100
            body["extra_data"]["extra_pnginfo"]["seen"] = sorted(body["extra_data"])
    return body


PromptServer.instance.add_on_prompt_handler(on_prompt)


class Count:
    """Counts its calls and sends the number."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "count"
    OUTPUT_NODE = True
    calls = 0

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"start": ("INT", {"default": 0}), "stop": ("BOOLEAN", {"default": False})}}

    @classmethod
    def VALIDATE_INPUTS(s, start):
        return True if start >= 0 else f"{start} is too small in {os.getpid()}"

    @classmethod
    def IS_CHANGED(s, start, stop):
        return Count.calls

    def count(self, start, stop):
        Count.calls += 1
        PromptServer.instance.send_sync("web_pack.count", {"calls": Count.calls})
        return {"ui": {"calls": [start + Count.calls]}, "result": (start + Count.calls,)}


NODE_CLASS_MAPPINGS = {"CountCalls": Count}
