"""The verbs: the only place that loops over points, learners and trials."""
