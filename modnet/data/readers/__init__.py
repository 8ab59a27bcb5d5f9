"""One reader a file: each makes a table, or arrays, of the files of one kind."""
