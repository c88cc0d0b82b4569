"use strict";
// The gallery itself: builds the page from one JSON document by `show(content)`, which may be called again.

const PORTION = 120; // tiles that are made at once; more as the reader comes near their end
const NARROWEST = 0.6;
const WIDEST = 2.4;
const FILTERS = ["q", "status", "model", "tag", "sort", "group", "earlier"];

let jobs = [];
let byId = new Map();
let items = []; // one for each result, and one for each job without any
let shown = []; // those that the filters leave, in the order of the page
let chosen = []; // for comparison, at most two
let opened = null;
let wanted = {};

// What there is to show
const total = (some, number) => some.reduce((sum, one) => sum + number(one), 0);

function itemsOf(job) {
  const all = job.tasks.flatMap((task) => task.results.map((result, index) => ({ job, task, result, index })));
  const now = all.filter((item) => item.task.is_current);
  const none = { job, task: job.tasks.find((task) => task.is_current) ?? null, result: null, index: 0 };
  return [...(now.length ? now : [none]), ...all.filter((item) => !item.task.is_current && item.result.address)];
}

function read(content) {
  jobs = content.jobs;
  jobs.forEach(prepare);
  link();
}

function prepare(job) {
  job.cost = total(job.tasks, (task) => Number(task.cost ?? 0));
  job.time = total(job.tasks, (task) => task.seconds ?? 0);
  Object.assign(job, axesOf(job));
  const told = [job.job, job.model, job.status, ...job.tags, job.error?.message, JSON.stringify(job.params)];
  for (const task of job.tasks) told.push(task.task_id, ...task.results.map((result) => result.path));
  job.haystack = told.join("\n").toLowerCase();
  job.items = itemsOf(job);
}

function link() {
  byId = new Map(jobs.map((job) => [job.job, job]));
  for (const job of jobs) job.makes = [];
  for (const job of jobs) for (const need of job.needs) byId.get(need)?.makes.push(job.job);
  items = jobs.flatMap((job) => job.items);
  items.forEach((item, number) => {
    item.number = number;
  });
}

const isEarlier = (item) => Boolean(item.result) && !item.task.is_current;
const itemCost = (item) => Number(item.task?.cost ?? 0);

function matches(item, words) {
  const job = item.job;
  return (
    (!wanted.status || job.status === wanted.status) &&
    (!wanted.model || job.model === wanted.model) &&
    (!wanted.tag || job.tags.includes(wanted.tag)) &&
    (wanted.earlier || !isEarlier(item)) &&
    words.every((word) => job.haystack.includes(word))
  );
}

const ORDERS = {
  name: (a, b) => a.job.name.localeCompare(b.job.name, undefined, { numeric: true }),
  cost: (a, b) => itemCost(b) - itemCost(a),
  time: (a, b) => (b.task?.seconds ?? 0) - (a.task?.seconds ?? 0),
  newest: (a, b) => (b.task?.created_at ?? "").localeCompare(a.task?.created_at ?? ""),
};

function groupsOf(found) {
  if (wanted.group === "none") return new Map([["", found]]);
  const keys = { model: (item) => item.job.model, status: (item) => STATUSES[item.job.status] };
  return Map.groupBy(found, keys[wanted.group] ?? ((item) => item.job.spec));
}

// Tiles
let pending = []; // groups and tiles that are still to be made
const nearEnd = new IntersectionObserver(
  (seen) => {
    if (seen.some((one) => one.isIntersecting)) makeMore();
  },
  { rootMargin: "1500px" },
);

// The groups that the filters leave, in the order of the page; `shown` is what is in them.
function arrange() {
  const words = (wanted.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const found = items.filter((item) => matches(item, words));
  if (ORDERS[wanted.sort]) found.sort(ORDERS[wanted.sort]);
  const groups = groupsOf(found);
  shown = [...groups.values()].flat();
  return groups;
}

function refresh() {
  pending = [...arrange()].flatMap(([name, members]) => [{ group: name, members }, ...members]);
  $("results").replaceChildren();
  if (!shown.length) $("results").append(make("p", { className: "empty" }, "Nothing here fits the filters."));
  makeMore();
  count();
}

function count() {
  const some = new Set(shown.map((item) => item.job)).size;
  $("count").textContent = some === jobs.length ? plural(some, "job") : `${some} of ${plural(jobs.length, "job")}`;
  $("clear").hidden = !FILTERS.some((name) => wanted[name]);
  for (const select of document.querySelectorAll(".filters select"))
    select.classList.toggle("is-set", Boolean(select.value));
  if (!$("charts").hidden) drawCharts();
}

function makeMore() {
  nearEnd.disconnect();
  let tiles = $("results").querySelector(".group:last-of-type .tiles");
  for (const one of pending.splice(0, PORTION)) {
    if ("group" in one)
      $("results").append(makeGroup(one.group, one.members, (tiles = make("ul", { className: "tiles" }))));
    else tiles.append(makeTile(one));
  }
  if (pending.length) nearEnd.observe(tiles.lastElementChild ?? tiles);
}

function groupSum(members) {
  const some = [...new Set(members.map((item) => item.job))];
  return `${plural(some.length, "job")} · ${usd(total(some, (job) => job.cost))}`;
}

function makeGroup(name, members, tiles) {
  const head = make("div", { className: "group-head" }, make("h2", { dir: "auto" }, name), make("span", {}, groupSum(members)));
  return make("section", { className: "group", "aria-label": name || "All results" }, name ? head : "", tiles);
}

const ratioOf = ({ width, height } = {}) =>
  Math.min(WIDEST, Math.max(NARROWEST, width && height ? width / height : 4 / 3));

function labelOf(item) {
  const many =
    item.task && item.task.results.length > 1 ? `, result ${item.index + 1} of ${item.task.results.length}` : "";
  const take = isEarlier(item) ? `, take ${item.task.take}, attempt ${item.task.attempt}` : "";
  return `${item.job.job}${many}${take}, ${STATUSES[item.job.status].toLowerCase()}`;
}

function makeTile(item) {
  const open = make(
    "button",
    { className: "open", "aria-label": labelOf(item), onclick: () => openDetail(item) },
    ...picture(item),
    ...badges(item),
  );
  const tile = make("li", { className: `tile ${item.result ? "" : item.job.status}` }, open);
  tile.style.setProperty("--ratio", ratioOf(item.result ?? {}).toFixed(3));
  tile.dataset.number = item.number;
  tile.item = item;
  if (item.result?.media === "video") playOnHover(tile, open, item);
  if (item.result?.address) {
    tile.append(
      make(
        "button",
        {
          className: "pick",
          title: "Compare (c)",
          "aria-label": `Compare ${labelOf(item)}`,
          "aria-pressed": String(chosen.includes(item)),
          onclick: () => choose(item),
        },
        icon(ICONS.compare),
      ),
    );
  }
  const cost = item.task?.cost ? usd(itemCost(item)) : "";
  tile.append(
    make(
      "div",
      { className: "caption", title: item.job.job },
      make("span", { dir: "auto" }, item.job.plain, make("span", { className: "axes" }, item.job.axes)),
      make("span", { className: "cost" }, cost),
    ),
  );
  return tile;
}

function picture(item) {
  const { result, job } = item;
  if (result?.thumbnail) {
    return [
      make("img", {
        loading: "lazy",
        decoding: "async",
        alt: "",
        draggable: false,
        src: result.thumbnail,
        onerror: (event) => event.target.replaceWith(words("No preview", "The picture is not beside the page.")),
      }),
    ];
  }
  const cover = !result && job.status === "completed" && job.inputs.find((input) => input.thumbnail);
  return [
    cover ? make("img", { loading: "lazy", decoding: "async", alt: "", src: cover.thumbnail }) : words(...why(item)),
  ];
}

const words = (title, text) =>
  make("span", { className: "words", dir: "auto" }, make("strong", {}, title), make("span", {}, text));

function why(item) {
  const { result, job } = item;
  if (result?.state === "replaced") return ["Replaced", "A later task's result has its place on disk."];
  if (result?.state === "missing") return ["Not on disk", result.path ?? "It was never downloaded."];
  if (result) return [result.media === "video" ? "Film" : "No preview", result.path ?? ""];
  if (job.error) return [STATUSES[job.status], job.error.message];
  if (item.task?.element_id) return ["Subject", `Its id is ${item.task.element_id}.`];
  return [STATUSES[job.status], job.prompt];
}

function badges({ job, task, result, index }) {
  const badge = (text, more = "") => make("span", { className: `badge ${more}` }, text);
  const many = task && task.results.length > 1 ? `${index + 1}/${task.results.length}` : "";
  const film = result?.media === "video" ? `▶ ${result.seconds ? span(result.seconds) : ""}` : "";
  const take = result && !task.is_current ? `take ${task.take}` : "";
  const told = [film, take, task?.element_id && !result ? "subject" : "", many, job.is_orphan ? "in no spec" : ""]
    .filter(Boolean)
    .join(" · ");
  const warning = result?.state === "edited" ? "edited" : task?.warnings.length ? "not as asked" : "";
  return [told ? badge(told) : "", warning ? badge(warning, "warn") : ""];
}

function playOnHover(tile, open, item) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  let film = null;
  tile.addEventListener("pointerenter", (event) => {
    if (event.pointerType !== "mouse" || film) return;
    film = make("video", { muted: true, loop: true, playsInline: true, tabIndex: -1, src: item.result.address });
    open.firstElementChild.after(film);
    film.play().catch(() => film?.remove()); // the reader sees the first frame still
  });
  tile.addEventListener("pointerleave", () => {
    film?.remove();
    film = null;
  });
}

// Filters, and where they are kept: in the address, so that a view can be passed on
function fillFilters() {
  const fill = (id, all, key) => {
    const counts = new Map();
    for (const job of jobs) for (const value of [job[key]].flat()) counts.set(value, (counts.get(value) ?? 0) + 1);
    const options = [...counts]
      .sort((a, b) => a[0].localeCompare(b[0]))
      .map(([value, count]) => make("option", { value }, `${key === "status" ? STATUSES[value] : value} (${count})`));
    $(id).replaceChildren(make("option", { value: "" }, all), ...options);
  };
  fill("status", "Any status", "status");
  fill("model", "Any model", "model");
  fill("tag", "Any tag", "tags");
  $("tag").hidden = $("tag").length === 1;
  $("earlier").parentElement.hidden = !items.some(isEarlier);
}

function remember() {
  const parts = new URLSearchParams(FILTERS.filter((name) => wanted[name]).map((name) => [name, wanted[name]]));
  if ($("detail").open && opened) parts.set("job", opened.job.job);
  const hash = parts.toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}

function recall() {
  const parts = new URLSearchParams(location.hash.slice(1));
  setFilters(Object.fromEntries(FILTERS.map((name) => [name, parts.get(name) ?? ""])));
  return items.find((item) => item.job.job === parts.get("job"));
}

function setFilters(values) {
  wanted = values;
  for (const name of FILTERS) if ($(name).value.trim() !== (wanted[name] ?? "")) $(name).value = wanted[name] ?? "";
  $("earlier").checked = Boolean(wanted.earlier);
  refresh();
}

function setFilter(name, value) {
  if (wanted[name] === value) return;
  setFilters({ ...wanted, [name]: value });
  remember();
}

// Light and dark
const THEMES = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").replaceChildren(icon(ICONS[theme]));
  $("theme").ariaLabel = $("theme").title = THEMES[theme];
}

function nextTheme() {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length]);
  try {
    localStorage.kirinTheme = document.documentElement.dataset.theme;
  } catch {
    /* a page on disk may keep nothing */
  }
}

function keptTheme() {
  try {
    return localStorage.kirinTheme in THEMES ? localStorage.kirinTheme : "auto";
  } catch {
    return "auto";
  }
}

// Keyboard
function walk(key) {
  const tiles = [...document.querySelectorAll(".tile")];
  const now = document.activeElement?.closest(".tile");
  if (!now) return focusTile(tiles[0]);
  if (key === "ArrowLeft" || key === "ArrowRight")
    return focusTile(tiles[tiles.indexOf(now) + (key === "ArrowLeft" ? -1 : 1)]);
  const from = now.getBoundingClientRect();
  const sign = key === "ArrowDown" ? 1 : -1;
  const distance = (box) => [sign * (box.top - from.top), Math.abs(box.left + box.right - from.left - from.right)];
  const beyond = tiles.map((tile) => [...distance(tile.getBoundingClientRect()), tile]).filter(([rows]) => rows > 5);
  const nearest = Math.min(...beyond.map(([rows]) => rows));
  return focusTile(beyond.filter(([rows]) => rows < nearest + 5).sort((a, b) => a[1] - b[1])[0]?.[2]);
}

function focusTile(tile) {
  tile?.querySelector(".open").focus({ preventScroll: true });
  tile?.scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox";
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping) {
    if (event.key === "Escape" && event.target.id === "q" && wanted.q) {
      event.preventDefault();
      setFilter("q", "");
    } else if ((event.key === "ArrowDown" || event.key === "Enter") && event.target.id === "q")
      focusTile(document.querySelector(".tile"));
    return;
  }
  const act = keysFor(event)[event.key];
  if (act) event.preventDefault();
  act?.();
}

function keysFor(event) {
  if ($("help").open || $("compare").open) return {};
  if ($("detail").open) {
    const film = $("detail").querySelector("video");
    const isOnButton = event.target.closest("button, video") !== null;
    const play = film && !isOnButton ? { " ": () => (film.paused ? film.play() : film.pause()) } : {};
    return { ArrowLeft: () => go(-1), ArrowRight: () => go(1), c: () => choose(opened), ...play };
  }
  const number = document.activeElement?.closest(".tile")?.dataset.number;
  const arrows = Object.fromEntries(
    ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].map((key) => [key, () => walk(key)]),
  );
  return {
    "/": () => $("q").focus(),
    "?": () => $("help").showModal(),
    t: toggleCharts,
    c: () => choose(items[number]),
    ...(chosen.length ? { Escape: unchoose } : {}),
    ...(number === undefined && scrollY > 50 ? {} : arrows),
  };
}

// Once
function listen() {
  $("q").addEventListener("input", (event) => setFilter("q", event.target.value.trim()));
  $("filters").addEventListener("change", ({ target }) =>
    setFilter(target.id, target.type === "checkbox" ? (target.checked ? "1" : "") : target.value),
  );
  $("clear").addEventListener("click", () => {
    setFilters({});
    remember();
  });
  $("theme").addEventListener("click", nextTheme);
  $("charts-button").addEventListener("click", toggleCharts);
  $("help-button").addEventListener("click", () => $("help").showModal());
  $("more").addEventListener("click", () =>
    $("more").setAttribute("aria-expanded", String($("filters").classList.toggle("is-open"))),
  );
  document.addEventListener("keydown", onKey);
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    }); // beside it
  }
  $("compare").addEventListener("close", () => {
    $("compare").replaceChildren();
    unchoose();
  });
  $("detail").addEventListener("close", () => {
    const tile = opened && document.querySelector(`.tile[data-number="${opened.number}"]`);
    $("detail").replaceChildren(); // a film that nobody sees plays no more
    opened = null;
    focusTile(tile);
    remember();
  });
}

function tellTotals(content) {
  const results = items.filter((item) => item.result && !isEarlier(item)).length;
  const failed = jobs.filter((job) => job.status === "failed").length;
  const isFree = jobs.some((job) => job.tasks.some((task) => task.sandbox));
  $("totals").textContent = [
    plural(jobs.length, "job"),
    plural(results, "result"),
    `${usd(total(jobs, (job) => job.cost))}${isFree ? " (partly sandbox)" : ""}`,
    `${span(total(jobs, (job) => job.time))} of generating`,
    failed ? `${failed} failed` : "",
    when(content.written_at),
  ]
    .filter(Boolean)
    .join("  ·  ");
}

function show(content) {
  read(content);
  fillFilters();
  tellTotals(content);
  const asked = recall();
  if (asked) openDetail(asked, false);
}

setTheme(keptTheme());
listen();
show(JSON.parse($("content").textContent));
