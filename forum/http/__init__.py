"""What every HTTP surface needs."""
