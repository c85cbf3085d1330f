"""The door where people knock: pages made by the server, over the same use cases as the API's.

Every page works without script. Texts are in `templates/` and, where code chooses among them, in `words`: who wants the
console in another language translates these two places. What is downloaded from other hosts: nothing.
"""

from app.console.door import Console

__all__ = ["Console"]
