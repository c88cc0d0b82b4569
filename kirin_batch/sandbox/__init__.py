"""A gateway on loopback that behaves like the real one and bills nothing. It knows nothing of kirin-batch's own parts.

Its wire layer and its parameter rules are written from the vendor's pages a second time, on purpose: a mistake in the
client's schemas is then found by the server that judges it, not repeated.

What a prompt can ask for, so that people see how failures look: a word `forbidden-content` (any case) is refused at
create with 400 and code 1301; `fail-006001094`, `fail-006001095` or `fail-006001099` makes the task fail, after its
time, with that code. For a subject the description counts as the prompt.

What it leaves out: `callback_url` is checked and never called; `watermark_info` is checked, and the results are the
same with it; images given as URLs are not fetched (only their syntax is checked). A request for more slots than the
account has is answered with 1303 for ever, as a real account would do. Subjects outlive the sandbox: their ids carry a
check of their user, so a later sandbox takes those that an earlier one of the same seed gave out.
"""

from kirin_batch.sandbox.books import Books
from kirin_batch.sandbox.server import Sandbox
from kirin_batch.sandbox.settings import SandboxSettings
from kirin_batch.sandbox.tasks import Task, user_of

__all__ = ["Books", "Sandbox", "SandboxSettings", "Task", "user_of"]
