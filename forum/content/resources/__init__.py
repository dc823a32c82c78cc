"""Help elsewhere: places that advisers know, and on which boards and in which threads they stand."""
