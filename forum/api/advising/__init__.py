"""What advisers work with, over HTTP."""
