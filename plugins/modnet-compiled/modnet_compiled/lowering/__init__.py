"""How the components of modnet and of its own plugins are lowered to operations."""
