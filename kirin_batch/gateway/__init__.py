"""The wire, behind one small interface: `interface` and `answers` are plain data, `client` speaks HTTP.

Imports nothing by itself: who only needs the answers does not pay for the HTTP library.
"""

__all__: list[str] = []
