"""A moderated peer-support forum: it holds states and knows nothing of moderation."""
