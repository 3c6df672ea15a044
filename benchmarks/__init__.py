"""What Loomis costs, against what: ``python -m benchmarks`` measures, prints a table and draws a plot."""
