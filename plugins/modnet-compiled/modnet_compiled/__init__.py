"""Compiled prediction for modnet: one native call for a whole forward pass."""
