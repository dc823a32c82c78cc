"""Pages of boards, threads and posts."""
