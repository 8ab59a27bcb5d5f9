"""Attention for modnet: layers on sequences (batch, time, features), offered through the group `modnet.layers`."""
