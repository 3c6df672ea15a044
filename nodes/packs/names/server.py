"""The server as node packs see it: the module ``server``.

It collects what packs put into it: routes, and handlers that see each prompt. Whoever carries the pack serves them.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from os import PathLike
from typing import Any, TypeAlias, TypeVar

from nodes.packs import current
from nodes.packs.names import progress
from nodes.packs.names.placeholders import members_of, placeholder

__getattr__ = members_of(__name__)

Handler: TypeAlias = Callable[..., Any]
H = TypeVar("H", bound=Handler)


class BinaryEventTypes(IntEnum):
    """The first number of a binary message of ComfyUI's socket."""

    PREVIEW_IMAGE = 1
    UNENCODED_PREVIEW_IMAGE = 2
    TEXT = 3
    PREVIEW_IMAGE_WITH_METADATA = 4


PREVIEWS = (BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA)


@dataclass(frozen=True, slots=True)
class Route:
    """A route of a pack: ``path`` may have parts such as ``{name}`` or ``{name:.+}``, as aiohttp has them."""

    pack: str
    method: str
    path: str
    handler: Handler


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """A folder whose files a pack serves below ``prefix``."""

    pack: str
    prefix: str
    folder: str


class Routes:
    """The routes of all packs, in order. Its methods are decorators, as those of aiohttp's route table are."""

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self.files: list[StaticFiles] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self.routes)

    def __len__(self) -> int:
        return len(self.routes)

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Add a route of the pack that runs."""
        self.routes.append(Route(_pack(), method.upper(), path, handler))

    def route(self, method: str, path: str, **options: Any) -> Callable[[H], H]:
        """Return a decorator that makes a function the handler of a route."""

        def take(handler: H) -> H:
            self.add(method, path, handler)
            return handler

        return take

    def get(self, path: str, **options: Any) -> Callable[[H], H]:
        return self.route("GET", path)

    def post(self, path: str, **options: Any) -> Callable[[H], H]:
        return self.route("POST", path)

    def put(self, path: str, **options: Any) -> Callable[[H], H]:
        return self.route("PUT", path)

    def patch(self, path: str, **options: Any) -> Callable[[H], H]:
        return self.route("PATCH", path)

    def delete(self, path: str, **options: Any) -> Callable[[H], H]:
        return self.route("DELETE", path)

    def head(self, path: str, **options: Any) -> Callable[[H], H]:
        return self.route("HEAD", path)

    def options(self, path: str, **options: Any) -> Callable[[H], H]:
        return self.route("OPTIONS", path)

    def view(self, path: str, **options: Any) -> Callable[[H], H]:
        return self.route("*", path)

    def static(self, prefix: str, path: str | PathLike[str], **options: Any) -> None:
        """Serve the files of a folder."""
        self.files.append(StaticFiles(_pack(), prefix, str(path)))


def _pack() -> str:
    running = current.node()
    return running[0] if running else ""


@dataclass
class Router:
    """What a pack may ask of the application's router."""

    collected: Routes
    frozen: bool = False

    def add_route(self, method: str, path: str, handler: Handler, **options: Any) -> None:
        self.collected.add(method, path, handler)

    def add_get(self, path: str, handler: Handler, **options: Any) -> None:
        self.collected.add("GET", path, handler)

    def add_post(self, path: str, handler: Handler, **options: Any) -> None:
        self.collected.add("POST", path, handler)

    def add_static(self, prefix: str, path: str | PathLike[str], **options: Any) -> None:
        self.collected.static(prefix, path)

    def routes(self) -> list[Route]:
        return list(self.collected)


@dataclass
class Application(dict[Any, Any]):
    """What a pack may ask of the application. Its hooks and middlewares are taken and never called."""

    router: Router
    middlewares: list[Any] = field(default_factory=list)
    on_startup: list[Any] = field(default_factory=list)
    on_shutdown: list[Any] = field(default_factory=list)
    on_cleanup: list[Any] = field(default_factory=list)

    def add_routes(self, routes: Iterable[Any]) -> None:
        """Add routes as aiohttp defines them, or those of a table."""
        for route in routes:
            if hasattr(route, "prefix"):
                self.router.add_static(route.prefix, route.path)
            else:
                self.router.add_route(route.method, route.path, route.handler)


class PromptServer:
    """The one server. ``client_id`` is None, which means all clients: a worker knows none of them by name."""

    instance: "PromptServer"

    def __init__(self) -> None:
        self.routes = Routes()
        self.app = Application(Router(self.routes))
        self.prompt_handlers: list[tuple[str, Handler]] = []
        self.supports = ["custom_nodes_from_web"]
        self.client_id: str | None = None
        self.last_prompt_id: str | None = None
        self.sockets: dict[str, Any] = {}
        self.sockets_metadata: dict[str, Any] = {}
        self.loop: AbstractEventLoop | None = None
        self.prompt_queue = placeholder("server.PromptServer.instance.prompt_queue")
        self.user_manager = placeholder("server.PromptServer.instance.user_manager")
        self.number = 0
        self.address = "127.0.0.1"
        self.port = 8188

    @property
    def last_node_id(self) -> str | None:
        """The node that runs in this thread."""
        context = current.context()
        return context.node if context else None

    def send_sync(self, event: Any, data: Any, sid: str | None = None) -> None:
        """Send an event to a client, or to all; a picture in binary is shown as the preview of the node that runs."""
        if isinstance(event, str):
            current.send(event, data if isinstance(data, Mapping) else {"value": data}, sid)
        elif event in PREVIEWS:
            picture = data[0] if event is BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA else data
            progress.show(current.context(), picture)

    async def send(self, event: Any, data: Any, sid: str | None = None) -> None:
        """Send as `send_sync` does."""
        self.send_sync(event, data, sid)

    async def send_json(self, event: str, data: Mapping[str, Any], sid: str | None = None) -> None:
        """Send as `send_sync` does."""
        self.send_sync(event, data, sid)

    def send_progress_text(self, text: Any, node_id: str, sid: str | None = None) -> None:
        """Show a text under a node."""
        current.send("progress_text", {"nodeId": str(node_id), "text": str(text)}, sid)

    def add_on_prompt_handler(self, handler: Callable[[Any], Any]) -> None:
        """Let a function see, and change, the body of each request to run a prompt. It returns the body."""
        self.prompt_handlers.append((_pack(), handler))


PromptServer.instance = PromptServer()
