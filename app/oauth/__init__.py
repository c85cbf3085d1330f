"""Machines knock: for tokens and about them, for keys and the feed, for a gateway, or with a secret that was found."""
