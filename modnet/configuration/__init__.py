"""Declared, checked configuration."""
