"""More kinds of data files for modnet, each read by its own library, which is imported only for such a file."""
