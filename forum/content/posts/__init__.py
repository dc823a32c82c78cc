"""Posts: numbered in their thread, with revisions; one predicate says who sees them."""
