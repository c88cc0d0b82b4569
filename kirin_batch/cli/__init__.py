"""The command line: parses, calls one use case, prints. Each command is a module that is imported when it is called."""

__all__: list[str] = []
