"""Hooks, registered with MMEngine."""
