"""ComfyUI's HTTP routes and WebSocket messages, over the services that the native ones use."""
