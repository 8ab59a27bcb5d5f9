"""A page about a trained network, for people who were not there: one HTML file that needs nothing else."""
