"use strict";
// Making elements, and words for people. Texts become text nodes: nothing in these scripts makes markup of data, which
// the page's policy forbids too.

const $ = (id) => document.getElementById(id);

const STATUSES = {
  completed: "Completed",
  failed: "Failed",
  in_flight: "In flight",
  unknown: "Unknown",
  blocked: "Blocked",
  pending: "Pending",
};

// Elements
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function draw(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const icon = (path) =>
  draw(
    "svg",
    {
      viewBox: "0 0 16 16",
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.7,
      "stroke-linecap": "round",
      "aria-hidden": "true",
    },
    draw("path", { d: path }),
  );
const ICONS = {
  compare: "M8 2v12M5.5 5H2.5v6h3M10.5 5h3v6h-3",
  light: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1v1.4M8 13.6V15M1 8h1.4M13.6 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  dark: "M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1",
  auto: "M8 2a6 6 0 1 0 0 12V2a6 6 0 0 1 0 12",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  back: "M10 3L5 8l5 5",
  forth: "M6 3l5 5-5 5",
};
const iconButton = (name, label, onclick, more = {}) =>
  make("button", { className: "quiet round", "aria-label": label, title: label, onclick, ...more }, icon(ICONS[name]));

// Words for people
const usd = (amount) => (amount === 0 ? "$0" : `$${amount.toFixed(amount < 0.1 ? 4 : 2)}`);
const plural = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
const when = (text) =>
  text ? new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }) : "";

function span(seconds) {
  const [minutes, rest] = [Math.floor(Math.round(seconds) / 60), Math.round(seconds) % 60];
  if (minutes < 1) return `${rest} s`;
  if (minutes < 60) return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const size = (bytes) => (bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} KB` : `${(bytes / 1e6).toFixed(1)} MB`);

function axesOf(job) {
  const [, plain, axes] = /^(.*?)(?:\[(.*)\])?$/s.exec(job.name);
  return {
    plain,
    axes: (axes ?? "")
      .split(",")
      .map((axis) => axis.replace(/^[^=]*=/, ""))
      .join(" · "),
  };
}
