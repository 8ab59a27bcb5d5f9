"""Pictures of trained networks, and of trainings before them."""
