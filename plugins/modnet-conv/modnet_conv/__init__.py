"""Convolution, pooling, resampling and augmentation of images (batch, height, width, channels) for modnet."""
