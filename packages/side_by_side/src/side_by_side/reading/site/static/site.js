"use strict";
/* The state of a page is its address: #name&v=definition:0-2&s=symbol. Without this script all is there, unfolded. */
const all = (query, within = document) => [...within.querySelectorAll(query)];
const state = { name: "", v: {}, s: "", values: "" };

const decoded = text => { try { return decodeURIComponent(text); } catch { return ""; } };
const read = () => {
  const [name, ...rest] = location.hash.slice(1).split("&").map(decoded);
  Object.assign(state, { name, v: {}, s: "", values: "" });
  for (const part of rest) {
    const [key, value] = [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)];
    if (key === "v") state.v[value.split(":")[0]] = value.split(":")[1];
    else if (key in state) state[key] = value;
  }
};
const write = () => {
  const parts = [state.name, ...Object.entries(state.v).map(([name, pair]) => `v=${name}:${pair}`)];
  if (state.s) parts.push(`s=${state.s}`);
  if (state.values) parts.push(`values=${state.values}`);
  const hash = parts.map(encodeURIComponent).join("&").replaceAll("%3D", "=").replaceAll("%3A", ":");
  history.replaceState(null, "", `#${hash}`);
};

/* One symbol lights up: in the formula, in every version, in the recorded values. */
const light = () => {
  for (const part of all("[data-s]")) part.classList.toggle("lit", part.dataset.s === state.s && state.s !== "");
  for (const button of all(".symbols button")) button.setAttribute("aria-pressed", button.dataset.s === state.s);
  document.body.classList.toggle("dim", state.s !== "");
};
document.addEventListener("click", event => {
  const part = event.target.closest("[data-s]");
  if (!part) return;
  state.s = state.s === part.dataset.s ? "" : part.dataset.s;
  const unit = part.closest("section[id]");
  if (unit) state.name = unit.id;
  light();
  write();
});

/* Two versions beside each other: one pair is shown, either way round; the others wait to be chosen, or found. */
const turned = pair => pair.split("-").reverse().join("-");
const show = (block, asked) => {
  const pairs = all("[data-pair]", block), chosen = pair => pairs.find(details => details.dataset.pair === pair);
  const shown = chosen(asked) ?? chosen(turned(asked ?? "")) ?? pairs[0];
  for (const details of pairs) {
    details.open = true;
    if (details === shown) details.removeAttribute("hidden");
    else details.setAttribute("hidden", "until-found");
  }
  block.classList.toggle("turned", turned(asked ?? "") === shown.dataset.pair);
  block.dataset.shown = block.classList.contains("turned") ? asked : shown.dataset.pair;
  [block.querySelector(".a").value, block.querySelector(".b").value] = block.dataset.shown.split("-");
};
for (const block of all(".pairs")) {
  const [a, b] = all("select", block), remember = () => {
    state.name = block.closest("section[id]").id;
    state.v[block.dataset.of] = block.dataset.shown;
    write();
  };
  a.onchange = b.onchange = () => {
    show(block, a.value === b.value ? turned(block.dataset.shown) : `${a.value}-${b.value}`);
    remember();
  };
  for (const details of all("[data-pair]", block))
    details.addEventListener("beforematch", () => { show(block, details.dataset.pair); remember(); });
}

/* Numbers to point at by mouse or touch; by keyboard Tab reaches one of them, and the arrows the others. */
const walk = (cells, point) => cells.forEach((cell, i) => {
  cell.tabIndex = i ? -1 : 0;
  cell.onmouseenter = () => point(cell);
  cell.onfocus = () => { for (const other of cells) other.tabIndex = other === cell ? 0 : -1; point(cell); };
  cell.onkeydown = event => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    cells[(i + step + cells.length) % cells.length].focus();
    event.preventDefault();
  };
});

/* Point at a cell of a result: the cells that it came from light up, and the sum is written out. */
for (const figure of all(".cells")) {
  const sum = figure.querySelector(".sum"), sums = all(".sums li", figure);
  walk(all("td[data-from]", figure), cell => {
    const from = (cell.dataset.from ?? "").split(" ");
    for (const other of all("td", figure)) other.classList.toggle("lit", other === cell || from.includes(other.dataset.c));
    sum.textContent = sums[cell.dataset.sum].textContent;
  });
}

/* Find the mistake: first a line is picked, then the answer is shown. */
for (const find of all(".find")) {
  const answer = find.querySelector("details"), said = find.querySelector(".said");
  for (const button of all("button", find)) button.onclick = () => {
    const right = button.dataset.wrong !== undefined;
    button.classList.add(right ? "wrong" : "missed");
    said.textContent = right ? "This is it." : "Not this line; try another, or open the answer.";
    if (right) answer.open = true;
  };
}

/* A box that filters the names. */
const box = document.querySelector(".filter input"), list = document.querySelector(".filter ul");
box.oninput = () => {
  const word = box.value.trim().toLowerCase();
  const found = word ? NAMES.filter(([name]) => name.toLowerCase().includes(word)) : [];
  list.replaceChildren(...found.map(([name, address]) => {
    const item = document.createElement("li"), link = document.createElement("a");
    [link.href, link.textContent] = [address, name];
    item.append(link);
    return item;
  }));
  list.hidden = !found.length;
};
box.onkeydown = event => {
  if (event.key === "Enter" && list.querySelector("a")) { location.href = list.querySelector("a").href; event.preventDefault(); }
  if (event.key === "Escape") { box.value = ""; box.oninput(); }
};
document.querySelector(".filter").onclick = event => { if (event.target.matches("a")) { box.value = ""; box.oninput(); } };
document.addEventListener("keydown", event => {
  if (event.key === "/" && !event.target.matches("input, select")) { box.focus(); event.preventDefault(); }
  if (event.key === "Escape" && state.s) { state.s = ""; light(); write(); }
});

/* What is wider than the page can be scrolled by keyboard too. */
const watch = new ResizeObserver(entries => entries.forEach(({ target }) => {
  if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
  else target.removeAttribute("tabindex");
}));
for (const part of all(".table, .formula, figure")) watch.observe(part);

const apply = scroll => {
  read();
  for (const block of all(".pairs")) show(block, state.v[block.dataset.of]);
  light();
  const target = document.getElementById(state.name);
  if (target && scroll) target.scrollIntoView();
  document.dispatchEvent(new Event("state"));
};
document.documentElement.classList.add("js");
for (const part of all(".script")) part.hidden = false;
window.onhashchange = () => apply(true);
window.onbeforeprint = () => all("details").forEach(details => { details.open = true; });
apply(location.hash !== "");
