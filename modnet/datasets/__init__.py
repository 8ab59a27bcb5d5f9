"""What a training eats: arrays by name, their parts, and batches."""
