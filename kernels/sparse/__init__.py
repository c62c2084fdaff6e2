"""Mechanisms whose queries see some of the keys only."""
