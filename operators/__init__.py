"""The pure core: kernels, folds, records and their dtypes; no clock, no input or output, no environment."""
