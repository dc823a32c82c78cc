"""Pages to join, sign in and look after one's account."""
