"use strict";
// The page of a server: takes over rows as they change, tile by tile, so that nothing jumps and no focus is lost.

const page = JSON.parse($("content").textContent);
const keyOf = ({ job, task, index }) => `${job.job}\n${task?.external_task_id ?? ""}\n${index}`;

// Rows
function takeOver({ jobs: rows, order }) {
  for (const job of rows) {
    prepare(job);
    const place = jobs.findIndex((other) => other.job === job.job);
    if (place < 0) jobs.push(job);
    else jobs[place] = job;
  }
  if (order) {
    const places = new Map(order.map((id, place) => [id, place]));
    jobs = jobs.filter((job) => places.has(job.job)).sort((a, b) => places.get(a.job) - places.get(b.job));
  }
  link();
  const now = new Map(items.map((item) => [keyOf(item), item]));
  const after = (item) => now.get(keyOf(item)) ?? byId.get(item.job.job)?.items[0];
  chosen = chosen.map(after).filter((item) => item?.result?.address);
  if (!$("q").parentElement.parentElement.contains(document.activeElement)) fillFilters();
  syncTiles();
  showChosen();
  setChosenFilters();
  tellTotals({ written_at: new Date().toISOString() });
  if (!opened || byId.get(opened.job.job) === opened.job) return;
  const item = after(opened);
  if (item) openDetail(item, false);
  else $("detail").close();
}

function setChosenFilters() {
  for (const name of FILTERS)
    if ($(name).tagName === "SELECT" && $(name).value !== (wanted[name] ?? "")) $(name).value = wanted[name] ?? "";
  count();
}

// Tiles: those of unchanged items stay where they are; as many as were made before, the rest as the reader comes near
function syncTiles() {
  const root = $("results");
  const focused = document.activeElement?.closest(".tile")?.item;
  const limit = Math.max(PORTION, root.querySelectorAll(".tile").length);
  const sections = new Map([...root.querySelectorAll(".group")].map((one) => [one.ariaLabel, one]));
  const plan = [...arrange()].flatMap(([name, members]) => [{ group: name, members }, ...members]);
  const here = plan.splice(0, limit + sections.size);
  pending = plan;
  root.querySelector(".empty")?.remove();
  if (!shown.length) root.append(make("p", { className: "empty" }, "Nothing here fits the filters."));
  let before = null;
  let tiles = null;
  let wantedTiles = [];
  for (const one of here) {
    if (!("group" in one)) {
      wantedTiles.push(one);
      continue;
    }
    if (tiles) place(tiles, wantedTiles);
    const name = one.group || "All results";
    const section = sections.get(name) ?? makeGroup(one.group, one.members, make("ul", { className: "tiles" }));
    sections.delete(name);
    const told = section.querySelector(".group-head span");
    if (told) told.textContent = groupSum(one.members);
    const next = before ? before.nextElementSibling : root.firstElementChild;
    if (section !== next) root.insertBefore(section, next);
    [before, tiles, wantedTiles] = [section, section.querySelector(".tiles"), []];
  }
  if (tiles) place(tiles, wantedTiles);
  for (const section of sections.values()) section.remove();
  nearEnd.disconnect();
  if (pending.length && tiles) nearEnd.observe(tiles.lastElementChild ?? tiles);
  if (focused && document.activeElement === document.body) focusAgain(focused);
}

function focusAgain({ job, index }) {
  const tiles = [...document.querySelectorAll(".tile")];
  const same = tiles.find((tile) => tile.item.job.job === job.job && tile.item.index === index);
  same?.querySelector(".open").focus({ preventScroll: true });
}

function place(tiles, members) {
  const old = new Map();
  for (const tile of tiles.children) old.set(tile.item, tile);
  const keep = new Set(members);
  for (const [item, tile] of old) if (!keep.has(item)) tile.remove();
  let at = tiles.firstElementChild;
  for (const item of members) {
    const tile = old.get(item) ?? makeTile(item);
    tile.dataset.number = item.number;
    if (tile === at) at = at.nextElementSibling;
    else tiles.insertBefore(tile, at);
  }
}

// Progress
function timeLeft(seconds) {
  if (seconds < 60) return "under a minute left";
  return `about ${span(Math.ceil(seconds / 60) * 60)} left`;
}

function tellMeasures(measures) {
  const { kinds, spent, reserved, seconds_left: left, is_run: isRun, problem } = measures;
  $("live").hidden = false;
  $("live").classList.toggle("is-lost", Boolean(problem));
  $("live-state").textContent = problem ?? (isRun ? "Running" : "Following what is recorded");
  $("live-kinds").replaceChildren(...Object.entries(kinds).map(([name, kind]) => kindLine(name, kind)).filter(Boolean));
  const money = spent === null ? "" : `${usd(Number(spent))} ${isRun ? "spent" : "in all"}`;
  $("live-money").textContent = [
    money,
    Number(reserved) ? `${usd(Number(reserved))} reserved` : "",
    left === null || left === undefined ? "" : timeLeft(left),
  ]
    .filter(Boolean)
    .join("  ·  ");
}

function kindLine(name, kind) {
  const all = kind.completed + kind.in_flight + kind.waiting + kind.failed;
  if (!all) return null;
  const told = [
    `${kind.completed}/${all} done`,
    kind.in_flight ? `${kind.in_flight} in flight` : "",
    kind.waiting ? `${kind.waiting} waiting` : "",
    kind.failed ? `${kind.failed} failed` : "",
    kind.slot_limit ? `slots ${kind.slots_in_use}/${kind.slot_limit}` : "",
  ];
  const bar = make("progress", { max: all, value: kind.completed + kind.failed, "aria-label": `${name}: done` });
  return make("div", {}, make("dt", {}, name), make("dd", {}, bar), make("dd", {}, told.filter(Boolean).join(" · ")));
}

function tellState(state, text) {
  $("live").hidden = false;
  $("live").classList.add(state);
  $("live-state").textContent = text;
}

// The stream
function listenToRun() {
  const source = new EventSource(`events?since=${page.live.since}`);
  source.addEventListener("jobs", (event) => takeOver(JSON.parse(event.data)));
  source.addEventListener("measures", (event) => tellMeasures(JSON.parse(event.data)));
  source.addEventListener("open", () => $("live").classList.remove("is-lost"));
  source.addEventListener("ended", () => {
    source.close();
    for (const picture of document.querySelectorAll(".tile img")) picture.loading = "eager"; // while they may be had
    tellState("is-over", page.of_run ? "The run has ended: `kirin-batch ui` serves this page again" : "The server has ended");
  });
  source.addEventListener("error", () => tellState("is-lost", "The server is not reached"));
}

if (page.live.measures) tellMeasures(page.live.measures);
listenToRun();
