"use strict";
// Draws what is in #data. Every text of it is put in place as text.
const data = JSON.parse(document.getElementById("data").textContent);
const svg = document.getElementById("picture");
const told = document.getElementById("told");
const find = document.getElementById("find");
const COLOURS = { person: "#2563eb", place: "#059669", organisation: "#7c3aed", animal: "#b45309", activity: "#db2777", event: "#dc2626", work: "#0891b2" };
const OTHER = "#64748b";
const SIZE = 1000;
const { entities, relations, together, memories } = data;
const radius = (one) => Math.min(9 + 4 * Math.sqrt(one.memories.length), 60);
const colour = (one) => (Object.hasOwn(COLOURS, one.kind) ? COLOURS[one.kind] : OTHER);

function make(name, attributes = {}, text = null) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  return node;
}
function element(name, text = null, kind = null) {
  const node = document.createElement(name);
  if (text !== null) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}
const cut = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
const count = (number, noun, plural = noun + "s") => `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;

// --- the picture -------------------------------------------------------------------------------------------------------

const world = make("g");
svg.append(world);
const places = entities.map((one) => ({ x: one.x * SIZE, y: one.y * SIZE }));
const lines = [];
for (const [one, other, times] of together) {
  const line = make("line", { class: "together", x1: places[one].x, y1: places[one].y, x2: places[other].x, y2: places[other].y, "stroke-width": Math.min(1 + times / 3, 4) });
  lines.push({ node: line, ends: [one, other] });
  world.append(line);
}
const bundles = new Map(); // all that one has to another is one line, which bends to its left
for (const edge of relations) {
  const key = `${edge.from},${edge.to}`;
  if (!bundles.has(key)) bundles.set(key, { from: edge.from, to: edge.to, labels: new Set() });
  bundles.get(key).labels.add(edge.label);
}
for (const bundle of bundles.values()) {
  const [one, other] = [places[bundle.from], places[bundle.to]];
  const [dx, dy] = [other.x - one.x, other.y - one.y];
  const loop = radius(entities[bundle.from]) + 24;
  const same = bundle.from === bundle.to;
  bundle.middle = same ? { x: one.x, y: one.y - loop * 1.5 } : { x: (one.x + other.x) / 2 + dy * 0.05, y: (one.y + other.y) / 2 - dx * 0.05 };
  const path = same
    ? `M${one.x},${one.y} c${-loop},${-loop * 2} ${loop},${-loop * 2} 0,0`
    : `M${one.x},${one.y} Q${(one.x + other.x) / 2 + dy * 0.1},${(one.y + other.y) / 2 - dx * 0.1} ${other.x},${other.y}`;
  const line = make("path", { class: "relation", d: path, "stroke-width": Math.min(1.2 + bundle.labels.size / 4, 4) });
  line.append(make("title", {}, `${entities[bundle.from].name} —${[...bundle.labels].join(", ")}→ ${entities[bundle.to].name}`));
  lines.push({ node: line, ends: [bundle.from, bundle.to] });
  world.append(line);
}
const nodes = entities.map((one, place) => {
  const group = make("g", { class: "node", tabindex: 0, transform: `translate(${places[place].x},${places[place].y})` });
  group.append(make("circle", { r: radius(one), fill: colour(one), "stroke-width": 2.5 }));
  group.append(make("title", {}, `${one.name} (${one.kind}): ${count(one.memories.length, "memory", "memories")}`));
  const label = make("text", { class: "name", x: places[place].x }, cut(one.name, 28));
  group.addEventListener("click", () => moved || choose(place));
  group.addEventListener("keydown", (event) => event.key === "Enter" && choose(place));
  return { group, label };
});
for (const place of entities.keys()) world.append(nodes[entities.length - 1 - place].group); // the largest on top
for (const { label } of nodes) world.append(label);
const said = make("g");
world.append(said);

let view = { x: 0, y: 0, k: 1 };
let chosen = null;
function draw() {
  world.setAttribute("transform", `translate(${view.x},${view.y}) scale(${view.k})`);
  const taken = [];
  const order = [...entities.keys()].sort((a, b) => lit(b) - lit(a) || a - b);
  for (const place of order) {
    const { label } = nodes[place];
    const size = 13;
    const [x, y] = [places[place].x * view.k, places[place].y * view.k + radius(entities[place]) * view.k + size];
    const half = Math.min(entities[place].name.length, 28) * size * 0.3;
    const box = [x - half, y - size, x + half, y + 3];
    const free = taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
    const shown = free && (chosen === null || lit(place) > 0);
    label.setAttribute("visibility", shown ? "visible" : "hidden");
    label.setAttribute("font-size", size / view.k);
    label.setAttribute("stroke-width", 3.5 / view.k);
    label.setAttribute("y", places[place].y + radius(entities[place]) + size / view.k);
    if (shown) taken.push(box);
  }
  said.replaceChildren();
  for (const bundle of chosen === null ? [] : bundles.values()) {
    if (bundle.from !== chosen && bundle.to !== chosen) continue;
    const text = cut([...bundle.labels].join(", "), 26);
    const [x, y] = [bundle.middle.x * view.k, bundle.middle.y * view.k];
    const half = text.length * 3.6;
    const box = [x - half, y - 12, x + half, y + 3];
    if (!taken.every((other) => box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3])) continue;
    taken.push(box);
    said.append(make("text", { class: "said", x: bundle.middle.x, y: bundle.middle.y, "font-size": 12 / view.k, "stroke-width": 3.5 / view.k }, text));
  }
}
let near = new Set();
const lit = (place) => (place === chosen ? 2 : near.has(place) ? 1 : 0);
function fit(which = [...entities.keys()]) {
  const { width, height } = svg.getBoundingClientRect();
  if (!which.length || !width) return draw();
  const margin = 60;
  const xs = which.map((one) => places[one].x), ys = which.map((one) => places[one].y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const k = Math.min((width - 2 * margin) / Math.max(right - left, 120), (height - 2 * margin) / Math.max(bottom - top, 120), 2.5);
  view = { k, x: width / 2 - (k * (left + right)) / 2, y: height / 2 - (k * (top + bottom)) / 2 };
  draw();
}

// --- what is told of it ------------------------------------------------------------------------------------------------

function choose(place) {
  chosen = place === chosen ? null : place;
  near = new Set();
  for (const { ends } of lines) if (ends.includes(chosen)) for (const end of ends) near.add(end);
  svg.classList.toggle("dim", chosen !== null);
  for (const { node, ends } of lines) node.classList.toggle("lit", ends.includes(chosen));
  for (const [at, { group }] of nodes.entries()) {
    group.classList.toggle("chosen", at === chosen);
    group.classList.toggle("near", near.has(at) && at !== chosen);
  }
  if (chosen === null) overview(find.value);
  else tell(chosen);
  draw();
}
function link(place, text = entities[place].name) {
  const button = element("button", text);
  button.addEventListener("click", () => choose(place));
  return button;
}
function dot(one) {
  const mark = element("span", null, "dot");
  mark.style.background = colour(one);
  return mark;
}
function list(title, items) {
  if (!items.length) return;
  told.append(element("h3", title));
  const all = element("ul");
  for (const parts of items) {
    const item = element("li");
    item.append(...parts);
    all.append(item);
  }
  told.append(all);
}
const shownMemory = (one) => [one.text, element("small", one.when)];
function tell(place) {
  const one = entities[place];
  told.replaceChildren();
  const back = element("button", "← all");
  back.addEventListener("click", () => choose(place));
  const title = element("h2");
  title.append(dot(one), one.name);
  told.append(back, title, element("p", one.kind));
  const others = one.names.filter((name) => name !== one.name);
  if (others.length) told.append(element("p", `also: ${others.join(", ")}`));
  const own = [...bundles.values()].filter((bundle) => bundle.from === place || bundle.to === place);
  list("Relations", own.map(({ from, to, labels }) => {
    const said = [...labels].join(", ");
    return from === place ? [element("span", `${said} → `, "label"), link(to)] : [link(from), element("span", ` — ${said}`, "label")];
  }));
  list("Memories", one.memories.map((at) => shownMemory(memories[at])));
}
function overview(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (text) => wanted.every((word) => text.toLowerCase().includes(word));
  told.replaceChildren();
  const found = [...entities.keys()].filter((place) => entities[place].names.some(fits));
  list(wanted.length ? "Entities that fit" : "Entities", found.slice(0, 200).map((place) =>
    [dot(entities[place]), link(place), element("small", `${entities[place].kind}, ${count(entities[place].memories.length, "memory", "memories")}`)]));
  if (wanted.length) list("Memories that fit", memories.filter((one) => fits(one.text)).slice(0, 200).map(shownMemory));
  if (!told.children.length) told.append(element("p", wanted.length ? "Nothing fits." : "No memory names anybody or anything yet."));
}

// --- pan, zoom, find ---------------------------------------------------------------------------------------------------

let held = null;
let moved = false;
svg.addEventListener("pointerdown", (event) => {
  held = { x: event.clientX - view.x, y: event.clientY - view.y, from: [event.clientX, event.clientY] };
  moved = false;
});
addEventListener("pointermove", (event) => {
  if (!held) return;
  if (Math.hypot(event.clientX - held.from[0], event.clientY - held.from[1]) > 4) moved = true;
  if (!moved) return;
  svg.classList.add("held");
  view = { ...view, x: event.clientX - held.x, y: event.clientY - held.y };
  draw();
});
addEventListener("pointerup", () => {
  held = null;
  svg.classList.remove("held");
});
svg.addEventListener("click", (event) => event.target === svg && !moved && chosen !== null && choose(chosen));
svg.addEventListener("dblclick", () => fit());
svg.addEventListener("wheel", (event) => {
  event.preventDefault();
  const k = Math.min(Math.max(view.k * Math.exp(-event.deltaY * 0.0015), 0.1), 8);
  const { left, top } = svg.getBoundingClientRect();
  const [x, y] = [event.clientX - left, event.clientY - top];
  view = { k, x: x - ((x - view.x) * k) / view.k, y: y - ((y - view.y) * k) / view.k };
  draw();
}, { passive: false });
find.addEventListener("input", () => {
  if (chosen !== null) choose(chosen);
  overview(find.value);
});
addEventListener("keydown", (event) => event.key === "Escape" && chosen !== null && choose(chosen));
addEventListener("resize", () => fit());
document.getElementById("counts").textContent = [
  count(entities.length, "entity", "entities") + (data.left_out ? ` (${data.left_out} more are left out)` : ""),
  count(relations.length, "relation"), count(memories.length, "memory", "memories"),
].join(" · ");
overview("");
fit();
if (data.centre !== null) choose(data.centre);
