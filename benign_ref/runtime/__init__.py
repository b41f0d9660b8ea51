"""Long computations: a store that survives interruptions, worker processes, tasks that are resumed. Knows no mathematics."""
