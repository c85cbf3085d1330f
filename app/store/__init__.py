"""What is remembered? The only SQLAlchemy in the product."""

from app.store.database import Store, Transaction

__all__ = ["Store", "Transaction"]
