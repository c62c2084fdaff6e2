"""Copies of vector columns that all backends share, and the proofs that a copy is what the snapshot sees."""
