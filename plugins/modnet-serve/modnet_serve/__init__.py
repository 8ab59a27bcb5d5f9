"""A server for models of modnet: the Open Inference Protocol, records as JSON, a page to try a model, metrics."""
