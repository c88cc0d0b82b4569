"""Results on disk: complete files under their names, and nothing else."""

__all__: list[str] = []
