"""Why a network predicts what it predicts: which columns matter, how, and what a single prediction is made of."""
