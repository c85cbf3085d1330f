"""Machines knock: the token endpoint, its metadata and keys, and the generation feed."""
