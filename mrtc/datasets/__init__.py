"""Data sets, by name of the file: images that lie where the model does, in bits or bytes."""
