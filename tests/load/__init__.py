"""How fast the forum is, beside what its framework and its server could do at best."""
