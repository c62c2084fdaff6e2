"""Loops that numpy and BLAS have no call for, in C: compiled when the package is installed."""
