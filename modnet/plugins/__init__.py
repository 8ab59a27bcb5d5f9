"""Discovery of plugins: components, hooks and kernels, and the distributions that they come from."""
