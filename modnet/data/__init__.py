"""From data files to arrays, and from predictions back to names."""
