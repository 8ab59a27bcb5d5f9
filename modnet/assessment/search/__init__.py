"""Looking for better values of a spec: trainings of it with other values, which a sampler chooses."""
