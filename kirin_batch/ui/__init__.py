"""The live page: the gallery served on loopback, with what changes sent after it. Knows rows and files, no records.

`board` holds what there is to show, `stream` sends it, `shelf` says which files may be had, `site` is the server.
"""

__all__: list[str] = []
