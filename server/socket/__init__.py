"""The WebSocket of the native protocol: connections, what they are sent, and the sessions behind them."""
