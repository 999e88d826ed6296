"""Arithmetic over the results of a test."""
