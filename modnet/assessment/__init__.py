"""What is done with trained models: they are compared, explained, calibrated and reported on."""
