"""More kinds of data files for modnet, each read by its own library, which is imported for such a file alone."""
