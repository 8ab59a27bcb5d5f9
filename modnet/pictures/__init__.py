"""How anything is drawn: the colours, figures of matplotlib, and SVG and HTML that need no library."""
