"""The forum's own pages: HTML from the server, plain links and forms; scripts only help."""
