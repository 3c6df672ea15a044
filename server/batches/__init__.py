"""Batches of a server: each is durable, its rows are jobs of the queue, and what becomes of them is in a manifest.

``server.batch`` says what the rows are, what a row runs and where its files go, here as for ``loomis batch``.
"""
