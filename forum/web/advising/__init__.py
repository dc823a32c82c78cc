"""What advisers work with, as pages."""
