"""Answers that still hold: what a command said where nothing was left to do, and the state of all that it rests on.

While all of that is as it was, the same command gets the same answer, and nothing else of the program is imported: this
module takes as little as it can. A wrong answer is worse than none, so whatever it does not know by heart has none: an
option, a variable, a file that is not as it was down to its inode and its time of change, which nobody can set back.
`commands.remembering` decides what is kept, and when; nothing here knows what an answer means. `caches` has the files.
"""

import os
import sys
import zlib
from contextvars import ContextVar

from kirin_batch.caches import FOLDER, load_cache, save_cache
from kirin_batch.witness import Identity, identify, inner_folders, kind_at, listing

__all__ = ["Call", "Kept", "asked_call", "key_of", "recall", "save"]

asked_call: ContextVar["Call | None"] = ContextVar("asked_call", default=None)
"""The call that a command answers, where that may be kept."""

_SELECTING = ("--job", "--tag", "--model", "--exclude")
_COMMON = ("-q", "--quiet", "-v", "--verbose", "--no-color")
# The options, by command, whose answers depend on nothing but what `remembering` looks at. All others are not known.
_FLAGS = {
    "validate": _COMMON,
    "plan": (*_COMMON, "--failed", "--retry-failed", "--detailed-exitcode"),
    "run": (*_COMMON, "--failed", "--retry-failed", "-y", "--yes", "--sandbox", "--locked", "--fail-fast"),
}
_VALUED = {
    "validate": ("-C", "--project", "--format"),
    "plan": ("-C", "--project", "--format", *_SELECTING, "--max-cost"),
    "run": ("-C", "--project", "--format", *_SELECTING, "--max-cost", "-j", "--concurrency"),
}
_FORMS = ("text", "json")
_ELSEWHERE = ("GITHUB_STEP_SUMMARY", "_KIRIN_BATCH_COMPLETE")  # variables that make the program write something else
_DISPLAY = ("CI", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "TERM")  # variables that change how answers look
_SECRET = ("KIRIN_API_KEY", "KIRIN_API_KEY_FILE")  # what asks nobody needs no key, and no trace of it is kept


class Call:
    """A command line that may be answered from what was kept: its words, from where, and when (ns of the epoch).

    `begun_ns` is a parameter, so that a test need not wait until files are old enough to be trusted. `rests_on` is
    where a command leaves what its answer rests on, if it may be kept.
    """

    __slots__ = ("begun_ns", "cwd", "rests_on", "root", "words")

    def __init__(self, words: list[str], cwd: str, root: str, begun_ns: int) -> None:
        self.words = words
        self.cwd = cwd
        self.root = root
        self.begun_ns = begun_ns
        self.rests_on: Kept | None = None

    @classmethod
    def of(cls, words: list[str], begun_ns: int) -> "Call | None":
        """The call of a command line; None where a word of it, or a variable, is not known to do no more than tell."""
        folder = _folder_of(words)
        if folder is None or any(name in os.environ for name in _ELSEWHERE):
            return None
        try:
            return cls(list(words), os.getcwd(), _root_of(folder), begun_ns)  # noqa: PTH109 - pathlib takes too long
        except (OSError, ValueError):
            return None

    @property
    def path(self) -> str:
        """The file of its answer."""
        return f"{self.root}/{FOLDER}/{self.words[0]}-{zlib.crc32(repr((self.words, self.cwd)).encode()):08x}.answer"


def _folder_of(words: list[str]) -> str | None:
    """The folder that the words name as the project's, "" for none; None where they are more than is known here."""
    command = words[0] if words else ""
    if command not in _FLAGS:
        return None
    folder = ""
    left = iter(words[1:])
    for word in left:
        if word in _FLAGS[command]:
            continue
        name, is_whole, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name not in _VALUED[command]:
            return None
        value = value if is_whole else next(left, "")
        if not value or (name == "--format" and value not in _FORMS):
            return None
        if name in {"-C", "--project"}:
            folder = value
    return folder


def _root_of(folder: str) -> str:
    """The project's root, as `project.load_project` finds it."""
    start = place = os.path.realpath(folder)
    while not folder:
        if os.path.isfile(f"{place}/kirin.yaml"):  # noqa: PTH113 - pathlib takes too long
            return place
        above = os.path.dirname(place)  # noqa: PTH120 - as above
        if above == place:
            break
        place = above
    return start


class Kept:
    """An answer, `out` and `err`, and what it rests on, which `commands.remembering` fills in.

    `key`: what `key_of` gave; `names`: the variables that kirin.yaml lists; `follows`: whether links may lead anywhere;
    `program`: files of the program with their identities; `files`: those of the project, below its root, None for what
    was not there; `empty`: files that must be empty or absent; `kinds` of places, as `kind_at` tells them; `folders`
    that patterns looked into, with their listings; `ways`: folders, with those inside that must be folders, no links.
    """

    __slots__ = ("empty", "err", "files", "folders", "follows", "key", "kinds", "names", "out", "program", "ways")

    def __init__(  # noqa: PLR0913 - they are the parts of the file
        self,
        key: tuple[str, ...],
        *,
        names: tuple[str, ...],
        follows: bool,
        program: dict[str, Identity],
        empty: tuple[str, ...],
        kinds: dict[str, str],
        folders: dict[str, frozenset[str]],
        ways: dict[str, frozenset[str]],
        files: dict[str, Identity | None],
        out: str = "",
        err: str = "",
    ) -> None:
        self.key = key
        self.names = names
        self.follows = follows
        self.program = program
        self.empty = empty
        self.kinds = kinds
        self.folders = folders
        self.ways = ways
        self.files = files
        self.out = out
        self.err = err

    @property
    def parts(self) -> dict[str, object]:
        """As plain data."""
        return {name: getattr(self, name) for name in self.__slots__}

    def holds(self, root: str) -> bool:
        """Whether all is as it was. Raises OSError where something cannot be looked at."""
        return (
            all(identify(os.stat(path)) == known for path, known in self.program.items())  # noqa: PTH116 - as elsewhere
            and not any(_size_of(f"{root}/{path}") for path in self.empty)
            and all(kind_at(f"{root}/{path}") == known for path, known in self.kinds.items())
            and all(listing(root, path) == known for path, known in self.folders.items())
            and all(known <= inner_folders(f"{root}/{path}") for path, known in self.ways.items())
            and self._has_same_files(root)
        )

    def _has_same_files(self, root: str) -> bool:
        look = os.stat if self.follows else os.lstat
        for path, known in self.files.items():
            try:
                status = look(f"{root}/{path}")
            except (FileNotFoundError, NotADirectoryError):
                if known is None:
                    continue
                return False
            if known is None or identify(status) != known:
                return False
        return True


def recall(call: Call) -> tuple[str, str] | None:
    """What the call was answered on stdout and stderr, where that still holds and can be said."""
    try:
        if call.words[0] == "run" and not _is_free(f"{call.root}/.kirin/run.lock"):
            return None
        parts = load_cache(call.path)
        if not isinstance(parts, dict):
            return None
        kept = Kept(**parts)
        return (kept.out, kept.err) if kept.key == key_of(call, kept.names) and kept.holds(call.root) else None
    except (OSError, ValueError, EOFError, TypeError):  # what is broken, or not this program's, was never kept
        return None


def save(call: Call, kept: Kept) -> None:
    """Keep an answer. Raises OSError."""
    save_cache(call.path, kept.parts)


def key_of(call: Call, names: tuple[str, ...]) -> tuple[str, ...]:
    """What an answer is to: the words, from where, and the variables that may change it, of which `names` are some."""
    streams = (f"{stream.encoding} {stream.isatty()}" for stream in (sys.stdout, sys.stderr))
    display = (os.environ.get(name, "") for name in _DISPLAY)
    return (call.root, call.cwd, _hash_of_variables(names), *streams, *display, *call.words)


def _hash_of_variables(names: tuple[str, ...]) -> str:
    """A hash of the variables that kirin.yaml lists, and of the program's own; "" where none is set."""
    found = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name in names or name == "PYTHONPATH" or (name.startswith("KIRIN_") and name not in _SECRET)
    )
    if not found:
        return ""
    # Measured: takes 2 ms to import, a tenth of the whole answer, and most projects need none of it.
    import hashlib  # noqa: PLC0415 - see above

    return hashlib.sha256(repr(found).encode(errors="surrogatepass")).hexdigest()


def _is_free(lock: str) -> bool:
    """Whether no run holds the project: a look that keeps nobody out for longer than it takes."""
    # Measured: 0.3 ms, for runs alone.
    import fcntl  # noqa: PLC0415 - see above

    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _size_of(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0
