"""Reports that need no account: from people whom a post is about, and from everybody else."""
