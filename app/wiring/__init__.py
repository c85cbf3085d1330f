"""How is each part of the server put together? `app` says which parts there are.

`services` makes the use cases; `oauth`, `api` and `console` make the doors that take more than a line.
"""
