"""Measurements and computations: one file per question."""
