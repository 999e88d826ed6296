"""What stands behind a backbone."""
