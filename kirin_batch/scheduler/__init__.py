"""Carries a plan out: slots, order, polling and the life of each job.

Knows the gateway, the ledger and the collector of results by their interfaces alone, and time by a clock.
"""

__all__: list[str] = []
