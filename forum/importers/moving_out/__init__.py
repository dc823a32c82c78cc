"""Moving out: all of a forum as neutral records in one file, which another forum takes in and anybody can read."""
