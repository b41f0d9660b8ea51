"""Long computations: a store that survives interruptions, workers, tasks that are resumed. No mathematics."""
