"use strict";
/* The numbers of the page follow those that are typed; the address keeps what differs from the beginning. */
const GIVEN = ["x", "target", "w1", "b1", "w2", "b2"];
const table = name => document.querySelector(`[data-array="${name}"]`);
const inputs = GIVEN.flatMap(name => all("input", table(name))), first = inputs.map(input => input.value);
const sum = document.querySelector(".sum");
let made = {}, at = null;

const point = cell => {
  at = cell;
  const name = cell.closest("table").dataset.array, row = cell.parentNode.rowIndex, column = cell.cellIndex;
  const { value, formula } = made[name][row][column];
  sum.textContent = `${name}[${row}, ${column}] = ${formula} = ${value}`;
};
const compute = () => {
  const given = Object.fromEntries(GIVEN.map(name => [name, [...table(name).rows].map(row => all("input", row).map(input => +input.value))]));
  const before = Object.fromEntries(Object.entries(made).map(([name, array]) => [name, JSON.stringify(plain(array))]));
  made = pass(given);
  for (const [name, array] of Object.entries(made))
    array.forEach((row, i) => row.forEach((number, j) => {
      const cell = table(name).rows[i].cells[j];
      cell.textContent = String(+number.value.toPrecision(4)).replace("-", "−");
      cell.classList.toggle("lit", name in before && JSON.parse(before[name])[i][j] !== number.value);
    }));
  if (at) point(at);
};
for (const input of inputs) input.oninput = () => {
  if (input.value === "" || !Number.isFinite(+input.value)) return;
  state.values = inputs.some((other, i) => other.value !== first[i]) ? inputs.map(other => other.value).join(",") : "";
  compute();
  write();
};
walk(all("[data-array] td:not(:has(input))"), point);
document.getElementById("again").onclick = () => { inputs.forEach((input, i) => { input.value = first[i]; }); state.values = ""; compute(); write(); };
const restore = () => {
  const kept = state.values.split(",");
  if (kept.length === inputs.length && kept.every(value => value !== "" && Number.isFinite(+value)))
    inputs.forEach((input, i) => { input.value = kept[i]; });
  compute();
};
document.addEventListener("state", restore);
restore();
