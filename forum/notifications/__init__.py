"""What members are told."""
