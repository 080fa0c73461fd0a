"""Vector stores. Only this package imports FAISS, and this module does not."""

FORMAT = 2  # of a build's files; 1 had one flat index of float32
