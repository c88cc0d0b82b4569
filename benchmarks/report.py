"""Writes the gallery of many results: time with and without previews at hand, size, time to the first picture.

Usage: python benchmarks/report.py [--results N] [--rounds N] [--no-browser]. Makes a project of its own in a temporary
folder: pictures of 1024 x 576, half of them JPEG, half PNG. Beside the first writing stands what Pillow alone takes for
the same previews, one after the other. The browser is the system's Chromium, headless, the page opened from disk.
"""

import argparse
import hashlib
import io
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from PIL import Image
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kirin_batch.commands.report import Report, ReportOptions, write_report
from kirin_batch.commands.workspace import Selection, open_workspace
from kirin_batch.jobs import Job
from kirin_batch.lockfile import save_lockfile
from kirin_batch.project import Project, load_project
from kirin_batch.records import Output, Record, Status

SIZE = (1024, 576)
SPECS = 8
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
WATCH = """
document.addEventListener('load', (event) => {
  if (event.target.tagName !== 'IMG') return;
  window.firstPicture ??= performance.now();
}, true);
"""
SEARCH = """() => {
  const began = performance.now();
  const box = document.getElementById('q');
  box.value = 'number 17';
  box.dispatchEvent(new Event('input'));
  return performance.now() - began;
}"""


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-browser", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kirin-report-") as folder:
        project = make_project(Path(folder), results=asked.results)
        print(f"{asked.results} results of {SIZE[0]} x {SIZE[1]}, {os.cpu_count()} processors")
        first = timed(lambda: write(project))
        again = median(timed(lambda: write(project)).seconds for _ in range(asked.rounds))
        alone = timed(lambda: preview_all(project))
        more = first.processor_seconds / alone.processor_seconds
        row("first writing", first.seconds, f"{first.processor_seconds:.1f} s of processors, {more:.2f} x Pillow alone")
        row("again", again, f"{first.seconds / again:.1f} x as fast as the first")
        report = write(project)
        previews = sum(file.stat().st_size for file in report.page.parent.glob("thumbnails/*"))
        print(f"  {'page':<16}{report.size / 1e6:9.2f} MB  previews {previews / 1e6:.1f} MB")
        if not asked.no_browser:
            visit(report.page, rounds=asked.rounds)


def row(name: str, seconds: float, note: str) -> None:
    """Print one row."""
    print(f"  {name:<16}{seconds:9.3f} s   {note}")


@dataclass(frozen=True, slots=True)
class Time:
    """What an act took; the second is of all processors, and does not grow where others use them too."""

    seconds: float
    processor_seconds: float


def timed(act: Callable[[], object]) -> Time:
    """How long an act takes."""
    began, before = time.perf_counter(), time.process_time()
    act()
    return Time(time.perf_counter() - began, time.process_time() - before)


def write(project: Project) -> Report:
    """Write the gallery as the command does, specs read anew."""
    return write_report(open_workspace(project), Selection(), ReportOptions())


def make_project(root: Path, *, results: int) -> Project:
    """A project whose jobs are all done."""
    (root / "specs").mkdir()
    (root / "kirin.yaml").write_text("version: 1\n")
    for spec in range(SPECS):
        jobs = "".join(
            f"  job-{number}: {{params: {{prompt: 'A street number {number}, seen from above, in the rain'}}}}\n"
            for number in range(spec, results, SPECS)
        )
        if jobs:
            (root / "specs" / f"s{spec}.yaml").write_text(
                f"version: 1\ndefaults: {{model: kirin_v2_image, tags: [t{spec}]}}\njobs:\n{jobs}"
            )
    project = load_project(root, is_root=True)
    jobs_made = open_workspace(project).specs.jobs.values()
    save_lockfile(project.lockfile, {job.id: record_of(job, root, number) for number, job in enumerate(jobs_made)})
    return project


def record_of(job: Job, root: Path, number: int) -> Record:
    """A job's record, its picture on disk."""
    path = root / "outputs" / job.spec / job.id.partition(":")[2] / ("1.jpg" if number % 2 else "1.png")
    path.parent.mkdir(parents=True)
    data = paint(number, "JPEG" if number % 2 else "PNG")
    path.write_bytes(data)
    name = path.relative_to(root).as_posix()
    sha256 = hashlib.sha256(data).hexdigest()
    return Record(
        job=job.id,
        model=job.model,
        status=Status.COMPLETED,
        digest=job.digest,
        external_task_id=job.external_task_id,
        created_at="2026-01-01T10:00:00Z",
        finished_at=f"2026-01-01T10:00:{number % 60:02}Z",
        task_id=f"task-{number}",
        cost="0.0140",
        outputs=(Output("https://results.example/1.png", "image", name, sha256, len(data)),),
    )


def paint(number: int, encoding: str) -> bytes:
    """A picture of its own: coarse noise in a colour, as hard to encode as a photograph."""
    noise = Image.effect_noise((64, 36), 60).resize(SIZE, Image.Resampling.BICUBIC)
    tint = Image.new("L", SIZE, number * 37 % 256)
    file = io.BytesIO()
    Image.merge("RGB", (noise, tint, noise)).save(file, encoding)
    return file.getvalue()


def preview_all(project: Project) -> None:
    """What any gallery must do at least: decode, make small, encode."""
    for path in (project.root / "outputs").rglob("1.*"):
        with Image.open(path) as image:
            image.thumbnail((640, 640), Image.Resampling.LANCZOS)
            image.save(io.BytesIO(), "WEBP", quality=78, method=2)


def visit(page: Path, *, rounds: int) -> None:
    """Open the page in new contexts, and print when its first picture is there and how long a search takes."""
    executable = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if executable is None:
        print("  no Chromium: no times of the browser")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        firsts, searches = [], []
        for _ in range(rounds):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            opened = context.new_page()
            opened.add_init_script(WATCH)
            opened.goto(page.as_uri())
            firsts.append(first_picture(opened))
            searches.append(opened.evaluate(SEARCH))
            context.close()
        browser.close()
    row("first picture", median(firsts) / 1000, f"median of {rounds}, from the start of loading")
    row("search", median(searches) / 1000, f"median of {rounds}")


def first_picture(page: Page) -> float:
    """The moment of the first picture in milliseconds, once it is there."""
    for _ in range(600):
        moment = page.evaluate("window.firstPicture ?? null")
        if moment is not None:
            return float(moment)
        page.wait_for_timeout(20)
    raise RuntimeError("no picture within 12 s")


if __name__ == "__main__":
    main()
