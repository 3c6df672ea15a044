"""Run one workflow many times: rows of values, axes of values, a name for each file, a manifest that survives a kill.

``asked`` is what stands on the command line; ``axes`` and ``rows`` say what to run, ``names`` where files go,
``controls`` what a seed becomes from row to row, ``together`` which rows can be sampled at once, ``manifest`` what is
done; ``runner`` runs it through ``Engine.run``; ``sheet`` draws the pictures as a table.
"""
