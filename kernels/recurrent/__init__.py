"""Attention as the states of recurrent models have it: signed weights that fade along the order."""
