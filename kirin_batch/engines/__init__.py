"""Engines that have the work of jobs done elsewhere, by the same code as on one machine (`scheduler.engine`).

The driver decides and records, workers work. Only `dask_wall` knows Dask.
"""

__all__: list[str] = []
