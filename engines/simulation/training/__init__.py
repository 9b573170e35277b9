"""Training: epochs of presentations, and where in one of them a simulator stands."""
