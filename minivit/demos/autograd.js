// ---------------------------------------------------------------------------------------------------- the engine

// name: [its value, its derivatives by its arguments (y is the value)]
const OPERATIONS = {
  "+": [(a, b) => a + b, () => [1, 1]],
  "-": [(a, b) => a - b, () => [1, -1]],
  "*": [(a, b) => a * b, (y, a, b) => [b, a]],
  "/": [(a, b) => a / b, (y, a, b) => [1 / b, -y / b]],
  "^": [(a, n) => a ** n, (y, a, n) => [n * a ** (n - 1)]],  // n is a number
  "same": [a => a, () => [1]],  // another name for a value
  "neg": [a => -a, () => [-1]],
  "exp": [Math.exp, y => [y]],
  "log": [Math.log, (y, a) => [1 / a]],
  "sqrt": [Math.sqrt, y => [0.5 / y]],
  "tanh": [Math.tanh, y => [1 - y * y]],
  "sigmoid": [a => 1 / (1 + Math.exp(-a)), y => [y * (1 - y)]],
  "relu": [a => Math.max(a, 0), (y, a) => [Number(a > 0)]],
};

// A value, and how it was computed. A leaf has the operation "leaf"; a bare number in a formula has none, and no gradient.
const node = (operation, parents, value, name = "") => ({operation, parents, value, name, gradient: 0, missing: 0});
const learns = one => one.operation !== "";

function compute(operation, ...parents) {
  const value = OPERATIONS[operation][0](...parents.map(parent => parent.value));
  return parents.some(learns) ? node(operation, parents, value) : node("", [], value);
}

// what a value hands on to each of its arguments: its gradient times the derivative by that argument
function passOn({operation, parents, value, gradient}) {
  const slopes = OPERATIONS[operation][1](value, ...parents.map(parent => parent.value));
  return slopes.map((slope, i) => ({to: parents[i], slope, amount: gradient * slope})).filter(({to}) => learns(to));
}

function topological(root) {  // all that a value depends on, and itself: each after its arguments
  const order = new Set();
  const visit = one => {
    if (order.has(one)) return;
    one.parents.forEach(visit);
    order.add(one);
  };
  visit(root);
  return [...order];
}

/* A walk of `step` steps: forward an operation each, then the first gradient, then backward an operation each.
   Returns {kind, now, handed}: what the last step did, with which value, and what that handed on.  `missing` of a value
   says how many gradients have not arrived there yet. */
function walk(values, step) {
  const operations = values.filter(({parents}) => parents.length), root = values[values.length - 1];
  const forward = operations.length, back = step - forward - 1;
  for (const one of operations) for (const parent of one.parents) parent.missing++;
  if (back < 0) return {kind: "forward", now: operations[step - 1], handed: [], known: new Set(operations.slice(0, step))};
  root.gradient = 1;
  let handed = [];
  for (const one of operations.slice(forward - back).reverse()) {
    handed = passOn(one);
    for (const {to, amount} of handed) {
      to.gradient += amount;
      to.missing--;
    }
  }
  return {kind: back ? "backward" : "first", now: operations[forward - Math.max(back, 1)], handed, known: new Set(operations)};
}

// ---------------------------------------------------------------------------------------------------- formulas

/* "x = 3; w = 2; L = w*x" -> the values that the last one depends on, each after its arguments.
   A line is a sum, or a name = a sum; a sum adds and subtracts products, a product multiplies and divides powers, and a
   power is an atom, an atom ^ a number, or - a power. */
function parse(formula) {
  const tokens = formula.match(/(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|\w+|\S/gi) || [], names = new Map();
  let at = 0;
  const next = (...wanted) => wanted.includes(tokens[at]) ? tokens[at++] : null;
  const wrong = wanted => { throw Error(`expected ${wanted}, got ${tokens[at] ?? "the end"}`); };
  const need = token => next(token) || wrong(token);

  function line() {
    const name = tokens[at + 1] === "=" && /^[a-z_]/i.test(tokens[at]) ? tokens[at] : "";
    if (name) at += 2;
    let value = sum();
    if (!name) return value;
    if (!learns(value)) value.operation = "leaf";
    else if (value.name) value = compute("same", value);
    value.name = name;
    names.set(name, value);
    return value;
  }

  function sum() {
    let value = product();
    for (let sign; (sign = next("+", "-"));) value = compute(sign, value, product());
    return value;
  }

  function product() {
    let value = power();
    for (let sign; (sign = next("*", "/"));) value = compute(sign, value, power());
    return value;
  }

  function power() {
    if (next("-")) return compute("neg", power());
    const base = atom();
    if (!next("^")) return base;
    const exponent = power();
    return learns(exponent) ? wrong("a number after ^") : compute("^", base, exponent);
  }

  function atom() {
    const token = tokens[at];
    if (/^[\d.]/.test(token)) return node("", [], Number(tokens[at++]));
    if (names.has(token)) return names.get(tokens[at++]);
    const applied = /^[a-z]/.test(token) && token in OPERATIONS;
    if (!applied && token !== "(") wrong("a number, a name with a value, or a function");
    if (applied) at++;
    need("(");
    const inside = sum();
    need(")");
    return applied ? compute(token, inside) : inside;
  }

  let result = line();
  while (at < tokens.length) {
    need(";");
    if (at < tokens.length) result = line();
  }
  return topological(result).filter(learns);
}

// ---------------------------------------------------------------------------------------------------- the graph

const BOX = {width: 144, height: 76};
const short = number => String(Number(number.toPrecision(4))).replace("-", "−");
const called = one => one.name || (learns(one) ? "…" : short(one.value));

function told({operation, parents}, say = called) {  // an operation in words: w · x
  const [a, b] = parents.map(say);
  if (operation === "leaf" || operation === "same") return a ?? "";
  if (operation === "neg") return `−${a}`;
  return parents.length === 1 ? `${operation}(${a})` : `${a} ${{"*": "·", "-": "−"}[operation] ?? operation} ${b}`;
}

/* Where each value stands, {value: [steps from the leaves, row]}. An operation stands a step after its last argument,
   between the rows of its arguments; a leaf a step before what uses it first. */
function places(values) {
  const depth = new Map(), row = new Map(), root = values[values.length - 1];
  for (const one of values) depth.set(one, 1 + Math.max(-1, ...one.parents.filter(learns).map(parent => depth.get(parent))));
  for (const leaf of values.filter(({parents}) => !parents.length && values.length > 1))
    depth.set(leaf, Math.min(...values.filter(one => one.parents.includes(leaf)).map(one => depth.get(one))) - 1);
  let leaves = 0;
  for (const one of values) {
    const parents = one.parents.filter(learns);
    row.set(one, parents.length ? parents.reduce((sum, parent) => sum + row.get(parent), 0) / parents.length : leaves++);
  }
  for (let column = 0; column <= depth.get(root); column++) {  // those of a column keep apart
    const here = values.filter(one => depth.get(one) === column).sort((a, b) => row.get(a) - row.get(b));
    here.forEach((one, i) => { if (i) row.set(one, Math.max(row.get(one), row.get(here[i - 1]) + 1)); });
  }
  return new Map(values.map(one => [one, [depth.get(one), row.get(one)]]));
}

function drawGraph(values, {kind, now, handed, known}) {
  const at = places(values), root = values[values.length - 1], panel = byId("graph"), width = panel.clientWidth;
  const [depths, rows] = [0, 1].map(axis => Math.max(...[...at.values()].map(place => place[axis])));
  const upright = width < 700;  // a narrow page: the graph runs down
  const across = Math.max(BOX.width + 8, Math.min(232, (width - BOX.width - 8) / ((upright ? rows : depths) || 1)));
  const down = upright ? BOX.height + 32 : Math.max(BOX.height + 8, Math.min(112, (370 - BOX.height) / (rows || 1)));
  const corner = one => upright ? [4 + at.get(one)[1] * across, 4 + at.get(one)[0] * down]
                                : [4 + at.get(one)[0] * across, 4 + at.get(one)[1] * down];
  const isHanded = (one, parent) => kind === "backward" && one === now && handed.some(({to}) => to === parent);
  let lines = "", boxes = "";
  for (const one of values) {
    const [x, y] = corner(one), later = one.parents.length && !known.has(one);
    for (const parent of one.parents.filter(learns)) {
      const [fromX, fromY] = corner(parent), bend = upright ? [0, 24] : [40, 0];
      const ends = upright ? [[fromX + BOX.width / 2, fromY + BOX.height], [x + BOX.width / 2, y]]
                           : [[fromX + BOX.width, fromY + BOX.height / 2], [x, y + BOX.height / 2]];
      lines += `<path class="${isHanded(one, parent) ? "now" : ""} ${later ? "later" : ""}"
        d="M${ends[0]}C${ends[0].map((c, i) => c + bend[i])} ${ends[1].map((c, i) => c - bend[i])} ${ends[1]}"/>`;
    }
    const words = told(one), title = one.name && words ? `${one.name} = ${words}` : one.name || words;
    const arrived = one === root ? one.gradient : one.missing < uses(values, one);
    boxes += `<g class="${one.parents.length ? "" : "leaf"} ${one === now ? "now" : ""} ${later ? "later" : ""}"
      transform="translate(${x} ${y})"><rect width="${BOX.width}" height="${BOX.height}" rx="8"/>
      <text class="name" x="12" y="22">${escaped(title)}</text>
      <text x="12" y="44">${later ? "" : short(one.value)}</text>
      <text class="gradient" x="12" y="66">${arrived ? `grad ${short(one.gradient)}${one.missing ? " + …" : ""}` : ""}</text>
    </g>`;
  }
  const size = upright ? [rows, depths] : [depths, rows];
  panel.innerHTML = `<svg style="max-width:none" width="${size[0] * across + BOX.width + 8}"
    height="${size[1] * down + BOX.height + 8}" role="img" aria-label="the graph of the formula">${lines}${boxes}</svg>`;
}

const uses = (values, one) => values.flatMap(({parents}) => parents).filter(parent => parent === one).length;

// ---------------------------------------------------------------------------------------------------- the page

function sentence({kind, now, handed}, root) {  // what the last step did
  if (!now) return "The leaves have their values. The first step computes what needs only them.";
  const value = one => short(one.value);
  if (kind === "forward") return `Forward: ${called(now)} = ${told(now)} = ${told(now, value)} = ${value(now)}.`;
  if (kind === "first") return `Backward begins: the gradient of ${called(root)} by itself is 1.`;
  const parts = handed.map(({to, slope, amount}) =>
    `${short(now.gradient)} × ${short(slope)} = ${short(amount)} to ${called(to)}`);
  return `Backward: ${called(now)} = ${told(now)} hands ${parts.join(", and ")}.`;
}

const lastStep = values => 2 * values.filter(({parents}) => parents.length).length + 1;

function draw({step, formula}) {
  byId("told").className = "";
  try {
    const values = parse(formula), last = lastStep(values);
    const walked = walk(values, Math.min(step, last));
    drawGraph(values, walked);
    byId("told").textContent = sentence(walked, values[values.length - 1]);
    document.querySelector("[data-knob=step] input").max = last;
  } catch (error) {  // while one types
    byId("told").className = "wrong";
    byId("told").textContent = error.message;
  }
}

function keys(key, {step, formula}) {
  if (key === "e") return example((data.examples.findIndex(one => one.formula === formula) + 1) % data.examples.length);
  if (![" ", "ArrowLeft", "ArrowRight"].includes(key)) return null;
  let last = STEPS;
  try { last = lastStep(parse(formula)); } catch { return null; }
  return {step: Math.min(Math.max(Math.min(step, last) + (key === "ArrowLeft" ? -1 : 1), 0), last)};
}

const STEPS = 99, example = i => ({formula: data.examples[i].formula, step: i ? 0 : START}), START = 5;
data.examples.forEach(({name}, i) => {
  const button = element("button", {type: "button"});
  button.textContent = name;
  button.onclick = () => page.set(example(i));
  byId("examples").append(button);
});

const page = demo({
  draw, keys,
  knobs: {
    step: range("step", {values: upTo(STEPS + 1), start: START}),
    formula: text("formula", {start: data.examples[0].formula}),
  },
});
sayKeys(["← →", "a step"], ["e", "next example"]);
