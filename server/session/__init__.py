"""Editor sessions: a graph on the server that is edited, looked at and run. No sockets in here."""
