"""Durable jobs: submitted, queued, watched and remembered, whoever runs them."""
