"""MPI for modnet: several processes train one network together."""
