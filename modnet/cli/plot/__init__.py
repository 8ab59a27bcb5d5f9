"""The bodies of `modnet plot`: a module for each kind of picture."""
