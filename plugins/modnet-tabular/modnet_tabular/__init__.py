"""Networks for tables for modnet: RealMLP, TabM, and what they are made of, offered as entry points."""
