"""Tables of people: columns with types, the files they come from, and how they become numbers."""
