"use strict";
/* The small net in plain JavaScript, each number with the sum that made it: held to the exact oracle by a test. */
const text = value => `${value < 0 ? "(" : ""}${String(+value.toPrecision(4)).replace("-", "−")}${value < 0 ? ")" : ""}`;
const transpose = a => a[0].map((_, j) => a.map(row => row[j]));
const total = numbers => numbers.reduce((sum, number) => sum + number, 0);
const cell = (value, formula) => ({ value, formula });
const plain = a => Array.isArray(a) ? a.map(plain) : a.value;

/* c[i][j] = Σ a[i][k] b[k][j] (+ b[j]) */
const product = (a, b, bias) => a.map(row => transpose(b).map((column, j) => {
  const terms = row.map((value, k) => `${text(value)} · ${text(column[k])}`);
  const sum = total(row.map((value, k) => value * column[k]));
  return bias ? cell(sum + bias[j], `${terms.join(" + ")} + ${text(bias[j])}`) : cell(sum, terms.join(" + "));
}));
const linear = (x, w, b) => product(x, w, b);
const relu = x => x.map(row => row.map(value => cell(Math.max(value, 0), `max(${text(value)}, 0)`)));
const mse = (output, target) => {
  const n = output.length * output[0].length, rows = output.map((row, i) => row.map((y, j) => [y, target[i][j]])).flat();
  return [[cell(total(rows.map(([y, t]) => (y - t) ** 2)) / n, `(${rows.map(([y, t]) => `(${text(y)} − ${text(t)})²`).join(" + ")}) / ${n}`)]];
};
const mseGrad = (output, target) => {
  const n = output.length * output[0].length;
  return output.map((row, i) => row.map((y, j) => cell(2 * (y - target[i][j]) / n, `2 · (${text(y)} − ${text(target[i][j])}) / ${n}`)));
};
const reluGrad = (gradOut, x) => gradOut.map((row, i) => row.map((g, j) => cell(x[i][j] > 0 ? g : 0, `${text(g)} · [${text(x[i][j])} > 0]`)));
const linearGrad = (gradOut, x, w) => [
  product(gradOut, transpose(w)),
  product(transpose(x), gradOut),
  [transpose(gradOut).map(column => cell(total(column), column.map(text).join(" + ")))],
];

/* Every value of one way forward and back, by name; b1 and b2 are rows. */
const pass = ({ x, target, w1, b1, w2, b2 }) => {
  const made = {};
  const keep = (name, array) => plain(made[name] = array);
  const l1 = keep("l1", linear(x, w1, b1[0])), l2 = keep("l2", relu(l1));
  const output = keep("output", linear(l2, w2, b2[0]));
  keep("loss", mse(output, target));
  const outputG = keep("output.g", mseGrad(output, target));
  const [l2G, w2G, b2G] = linearGrad(outputG, l2, w2);
  const arrived = keep("l2.g", l2G);
  keep("w2.g", w2G);
  keep("b2.g", b2G);
  const l1G = keep("l1.g", reluGrad(arrived, l1));
  ["x.g", "w1.g", "b1.g"].forEach((name, i) => keep(name, linearGrad(l1G, x, w1)[i]));
  return made;
};
