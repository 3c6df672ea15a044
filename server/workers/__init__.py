"""Who runs the jobs: one contract, several carriers, and the dispatcher between them and the queue."""
