"""What is raised for a network that cannot be compiled."""

from modnet import ModnetError


class CannotCompile(ModnetError):
    """A layer, as it is configured or used, has no compiled form; or a network, for the layers that the text names."""
