"""Comfy API v2 below ``/api/v2``: jobs, their events as a stream, and assets, over the jobs and files of the rest."""
