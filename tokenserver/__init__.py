"""tokenserver: machine credentials whose tokens end when you say so. What a resource server and an app install."""

__version__ = "0.1.0"
