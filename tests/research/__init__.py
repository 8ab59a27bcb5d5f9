"""Layers from papers, written as a plugin would write them, each against its reference."""
