"use strict";
// What opens over the gallery: one result with all that is known of its job, two results beside each other, and plots.

// One result with all that is known of its job
function media(item) {
  const { result } = item;
  if (!result?.address) return words(...why(item));
  if (result.media === "video")
    return make("video", {
      controls: true,
      loop: true,
      playsInline: true,
      src: result.address,
      poster: result.thumbnail ?? "",
    });
  return make("img", { src: result.address, alt: item.job.prompt || item.job.job });
}

function openDetail(item, starts = true) {
  opened = item;
  const { job } = item;
  const pressed = $("detail").open && document.activeElement.ariaLabel;
  const step = (by, name, label) => iconButton(name, label, () => go(by), { disabled: !neighbour(by) });
  $("detail").replaceChildren(
    make(
      "div",
      { className: "dialog-head" },
      make(
        "h2",
        { dir: "auto", title: job.job, tabIndex: -1 },
        job.plain,
        make("small", {}, [job.axes, job.spec].filter(Boolean).join("  ·  ")),
      ),
      item.result?.address
        ? make(
            "button",
            { className: "quiet wide", onclick: () => choose(item), "aria-pressed": String(chosen.includes(item)) },
            "Compare",
          )
        : "",
      step(-1, "back", "Previous"),
      step(1, "forth", "Next"),
      iconButton("close", "Close", () => $("detail").close()),
    ),
    make("div", { className: "stage" }, make("div", { className: "show" }, media(item)), strip(item)),
    make("div", { className: "facts", tabIndex: 0 }, ...facts(item)),
  );
  if (!$("detail").open) $("detail").showModal();
  // The button that was pressed is a new one now; else no button has the focus, which Space would press.
  const again = [...$("detail").querySelectorAll(".dialog-head button:enabled")].find(
    (one) => one.ariaLabel === pressed,
  );
  (pressed && again ? again : $("detail").querySelector("h2")).focus();
  $("detail").scrollTop = 0;
  $("detail").querySelector(".strip [aria-current=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (starts)
    $("detail")
      .querySelector("video")
      ?.play()
      .catch(() => {}); // it has controls
  remember();
}

const neighbour = (by) => shown[shown.indexOf(opened) + by];
const go = (by) => neighbour(by) && openDetail(neighbour(by));

function strip(item) {
  const all = items.filter((other) => other.job === item.job && other.result);
  if (all.length < 2) return "";
  return make(
    "div",
    { className: "strip" },
    ...all.map((other) =>
      make(
        "button",
        {
          className: "mini",
          onclick: () => openDetail(other),
          "aria-label": labelOf(other),
          "aria-current": String(other === item),
        },
        thumbnail(other),
        isEarlier(other) ? `take ${other.task.take}.${other.task.attempt}` : `${other.index + 1}`,
      ),
    ),
  );
}

const thumbnail = (item) =>
  item.result?.thumbnail ? make("img", { src: item.result.thumbnail, alt: "", loading: "lazy" }) : make("i");

// An earlier task was asked for what the lockfile noted then; where it did not, only today's is known.
const askedOf = ({ job, task }) => task?.asked ?? job;

function facts(item) {
  const { job, task } = item;
  const asked = askedOf(item);
  const error = isEarlier(item) ? task.error : job.error;
  return [
    error
      ? make("p", { className: "error", dir: "auto" }, `${error.message}${error.code ? ` (${error.code})` : ""}`)
      : "",
    ...(task?.warnings ?? []).map((warning) => make("p", { className: "warning" }, `Not as asked: ${warning}`)),
    isEarlier(item)
      ? make(
          "p",
          { className: "warning" },
          `An earlier task of this job${task.asked ? "." : "; prompt and params are those of today."}`,
        )
      : "",
    asked.prompt ? part("Prompt", make("p", { className: "prompt", dir: "auto" }, asked.prompt)) : "",
    part("Task", pairs(taskFacts(item))),
    job.tags.length
      ? part("Tags", make("ul", { className: "tags" }, ...job.tags.map((tag) => make("li", {}, tag))))
      : "",
    asked.params
      ? part(
          "Params",
          pairs(
            Object.entries(asked.params)
              .filter(([, value]) => value !== asked.prompt)
              .map(([name, value]) => [name, paramValue(value)]),
          ),
        )
      : "",
    job.inputs.length || job.needs.length
      ? part("Made from", make("div", { className: "line" }, ...job.inputs.map(inputMini), ...job.needs.map(jobMini)))
      : "",
    job.makes.length ? part("Made of it", make("div", { className: "line" }, ...job.makes.map(jobMini))) : "",
    job.tasks.length > 1 ? part("All takes and attempts", ...job.tasks.map((one) => taskLine(job, one, task))) : "",
  ].filter(Boolean);
}

const part = (title, ...content) => make("section", {}, make("h3", {}, title), ...content);

function pairs(rows) {
  const told = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return make(
    "dl",
    { className: "pairs" },
    ...told.flatMap(([name, value]) => [make("dt", {}, name), make("dd", { dir: "auto" }, value)]),
  );
}

const paramValue = (value) =>
  typeof value === "object" ? make("code", {}, JSON.stringify(value, null, 1)) : String(value);

function taskFacts({ job, task, result }) {
  const code = (text) => (text ? make("span", { className: "mono" }, text) : null);
  const about = [
    result?.width ? `${result.width} × ${result.height}` : "",
    result?.media === "video" && result.seconds ? span(result.seconds) : "",
    result?.bytes ? size(result.bytes) : "",
  ];
  return [
    [
      "Status",
      make(
        "span",
        { className: `status-${job.status}` },
        `${STATUSES[job.status]}${job.is_orphan ? ", in no spec any more" : ""}`,
      ),
    ],
    ["Model", job.model],
    ["Cost", task?.cost ? `${usd(Number(task.cost))}${task.sandbox ? " (sandbox: nothing was billed)" : ""}` : null],
    ["Time", task?.seconds === null || task?.seconds === undefined ? null : span(task.seconds)],
    ["Made", when(task?.finished_at ?? task?.created_at)],
    ["Take", task ? `${task.take}, attempt ${task.attempt}` : job.take],
    ["Result", about.filter(Boolean).join(" · ")],
    ["File", result ? fileLink(result) : null],
    [
      "Served by",
      result?.url
        ? make(
            "a",
            { href: result.url, rel: "noreferrer noopener", target: "_blank" },
            `${result.host} (until ${result.url_ends})`,
          )
        : result?.host
          ? `${result.host}, until ${result.url_ends ?? "?"}`
          : null,
    ],
    ["Subject", code(task?.element_id)],
    ["Task", code(task?.task_id)],
  ];
}

function fileLink({ path, address, state }) {
  if (address) return make("a", { href: address, target: "_blank", rel: "noopener" }, path);
  return `${path ?? "Not downloaded"}${{ missing: " (not on disk)", replaced: " (holds a later result)" }[state] ?? ""}`;
}

const inputMini = (input) =>
  make(
    "span",
    { className: "mini", title: input.path },
    input.thumbnail ? make("img", { src: input.thumbnail, alt: "", loading: "lazy" }) : make("i"),
    input.path.split("/").at(-1),
  );

function jobMini(id) {
  const item = items.find((other) => other.job.job === id);
  if (!item) return make("span", { className: "pill" }, id);
  return make(
    "button",
    { className: "mini", title: id, onclick: () => openDetail(item) },
    thumbnail(item),
    item.job.plain,
  );
}

function taskLine(job, task, current) {
  const item = items.find((other) => other.task === task && other.result);
  const gone = { replaced: "its file was replaced", missing: "not on disk" }[task.results[0]?.state];
  const told = [
    task.cost ? usd(Number(task.cost)) : "",
    task.seconds === null ? "" : span(task.seconds),
    when(task.created_at),
    gone,
  ];
  return make(
    item ? "button" : "div",
    { className: "task", "aria-current": String(task === current), onclick: item ? () => openDetail(item) : null },
    `Take ${task.take}, attempt ${task.attempt}: ${STATUSES[task.status].toLowerCase()}`,
    make("small", {}, told.filter(Boolean).join(" · ")),
    task.error ? make("small", { className: "status-failed" }, task.error.message) : "",
  );
}

// Two results beside each other
function choose(item) {
  if (!item?.result?.address) return undefined;
  chosen = chosen.includes(item) ? chosen.filter((other) => other !== item) : [...chosen.slice(-1), item];
  showChosen();
  if (chosen.length < 2) return opened && openDetail(opened, false);
  $("detail").close();
  return openCompare();
}

function unchoose() {
  chosen = [];
  showChosen();
}

function showChosen() {
  for (const tile of document.querySelectorAll(".tile")) {
    tile.querySelector(".pick")?.setAttribute("aria-pressed", String(chosen.includes(items[tile.dataset.number])));
  }
  $("tray").hidden = !chosen.length;
  $("tray").replaceChildren(
    ...chosen.map(thumbnail),
    make("span", {}, "Choose another one to compare"),
    iconButton("close", "Choose none", unchoose),
  );
}

function openCompare(slides = chosen.every((item) => item.result.media === "image")) {
  const [one, two] = chosen;
  const areImages = chosen.every((item) => item.result.media === "image");
  const mode = (label, value) =>
    make(
      "button",
      { className: "quiet", "aria-pressed": String(slides === value), onclick: () => openCompare(value) },
      label,
    );
  $("compare").replaceChildren(
    make(
      "div",
      { className: "dialog-head" },
      make("h2", {}, "Compare"),
      ...(areImages ? [mode("Slider", true), mode("Side by side", false)] : []),
      iconButton("close", "Close", () => $("compare").close()),
    ),
    slides
      ? slider(one, two)
      : make("div", { className: "pair" }, ...chosen.map((item) => make("figure", {}, media(item)))),
    differences(one, two),
  );
  if (!$("compare").open) $("compare").showModal();
  for (const film of $("compare").querySelectorAll("video"))
    Object.assign(film, { muted: true })
      .play()
      .catch(() => {}); // it has controls
}

function slider(one, two) {
  const range = make("input", {
    type: "range",
    min: 0,
    max: 100,
    value: 50,
    step: 1,
    "aria-label": "How much of the first picture is shown, in percent",
  });
  const box = make(
    "div",
    { className: "slider" },
    make("img", { src: one.result.address, alt: one.job.job, draggable: false }),
    make("img", { src: two.result.address, alt: two.job.job, className: "second", draggable: false }),
    make("div", { className: "edge" }),
    range,
  );
  const cut = (percent) => box.style.setProperty("--cut", `${percent}%`);
  const follow = (event) => {
    const frame = box.getBoundingClientRect();
    range.value = Math.min(100, Math.max(0, ((event.clientX - frame.left) / frame.width) * 100));
    cut(range.value);
  };
  range.addEventListener("input", () => cut(range.value));
  box.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    range.focus({ focusVisible: false });
    box.setPointerCapture(event.pointerId);
    follow(event);
  });
  box.addEventListener("pointermove", (event) => {
    if (event.buttons) follow(event);
  });
  return box;
}

function differences(one, two) {
  const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const told = (item) => ({
    Model: item.job.model,
    Prompt: askedOf(item).prompt,
    Cost: item.task.cost ? usd(itemCost(item)) : "",
    Time: item.task.seconds === null ? "" : span(item.task.seconds),
    Size: item.result.width ? `${item.result.width} × ${item.result.height}` : "",
    Take: `${item.task.take}, attempt ${item.task.attempt}`,
    ...Object.fromEntries(
      Object.entries(askedOf(item).params ?? {})
        .filter(([, value]) => value !== askedOf(item).prompt)
        .map(([name, value]) => [name, text(value)]),
    ),
  });
  const [left, right] = [told(one), told(two)];
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  const row = (name) =>
    make(
      "tr",
      { className: left[name] === right[name] ? "" : "differs" },
      make("th", { scope: "row" }, name),
      make("td", { dir: "auto" }, left[name] ?? "–"),
      make("td", { dir: "auto" }, right[name] ?? "–"),
    );
  const heads = [one, two].map((item) =>
    make(
      "th",
      { scope: "col", dir: "auto" },
      `${item.job.job}${item.task.results.length > 1 ? `, ${item.index + 1}` : ""}`,
    ),
  );
  return make(
    "div",
    { className: "differences", tabIndex: 0, role: "region", "aria-label": "Differences" },
    make("table", {}, make("thead", {}, make("tr", {}, make("td"), ...heads)), make("tbody", {}, ...names.map(row))),
  );
}

// Plots of what the shown jobs cost and took
function drawCharts() {
  const some = [...new Set(shown.map((item) => item.job))];
  const by = (key, measure) =>
    some.reduce((sums, job) => sums.set(job[key], (sums.get(job[key]) ?? 0) + job[measure]), new Map());
  $("charts").replaceChildren(
    chart("Cost by model", by("model", "cost"), usd),
    chart("Cost by spec", by("spec", "cost"), usd),
    chart("Time by model", by("model", "time"), span),
    chart("Time by spec", by("spec", "time"), span),
  );
}

function chart(title, sums, told) {
  const most = 7;
  const sorted = [...sums].filter(([, sum]) => sum > 0).sort((a, b) => b[1] - a[1]);
  const rest = sorted.slice(most).reduce((sum, [, one]) => sum + one, 0);
  const rows = rest ? [...sorted.slice(0, most), [`${sorted.length - most} more`, rest]] : sorted;
  const largest = Math.max(...rows.map(([, sum]) => sum), 1e-9);
  const label = `${title}: ${rows.map(([name, sum]) => `${name} ${told(sum)}`).join("; ") || "nothing recorded"}`;
  const svg = draw("svg", { role: "img", "aria-label": label, height: Math.max(1, rows.length) * 34 });
  rows.forEach(([name, sum], number) => {
    const y = number * 34;
    const short = name.length > 34 ? `${name.slice(0, 33)}…` : name;
    svg.append(
      draw("text", { x: 0, y: y + 13 }, short),
      draw("text", { x: "100%", y: y + 13, class: "value" }, told(sum)),
      draw("rect", { x: 0, y: y + 19, width: "100%", height: 6, rx: 3, class: "track" }),
      draw("rect", {
        x: 0,
        y: y + 19,
        width: `${Math.max(1, (sum / largest) * 100)}%`,
        height: 6,
        rx: 3,
        class: "mark",
      }),
    );
  });
  return make("div", { className: "chart" }, make("h2", {}, title), svg);
}

function toggleCharts() {
  $("charts").hidden = !$("charts").hidden;
  $("charts-button").ariaExpanded = String(!$("charts").hidden);
  if (!$("charts").hidden) drawCharts();
  scrollTo({ top: 0 });
}
