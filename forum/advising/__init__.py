"""What advisers work with."""
