"""kirin-batch: declarative batches of generated images and films."""

__version__ = "0.1.0"

__all__ = ["__version__"]
