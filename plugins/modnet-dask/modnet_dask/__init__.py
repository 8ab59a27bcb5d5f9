"""dask for modnet: predictions for tables in parts, and searches, by the workers of a cluster."""
