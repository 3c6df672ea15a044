"""Who may talk to the server, and how much at once. What is promised: SECURITY.md."""
