"""The use cases, one a command: each takes plain values and gives plain values back. Prints nothing, parses nothing."""

__all__: list[str] = []
