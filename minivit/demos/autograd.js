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

// A value, and how it was computed. A leaf's operation is "leaf"; a bare number in a formula has none, and no gradient.
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
   Returns {kind, now, handed, known}: what the last step did, with which value, what it handed on, and which operations
   have been computed. `missing` of a value says how many gradients have not arrived there yet. */
function walk(values, step) {
  const operations = values.filter(({parents}) => parents.length), root = values[values.length - 1];
  const forward = operations.length, back = step - forward - 1, known = new Set(operations.slice(0, step));
  for (const one of operations) for (const parent of one.parents) parent.missing++;
  if (back < 0) return {kind: "forward", now: operations[step - 1], handed: [], known};
  root.gradient = 1;
  let handed = [];
  for (const one of operations.slice(forward - back).reverse()) {
    handed = passOn(one);
    for (const {to, amount} of handed) {
      to.gradient += amount;
      to.missing--;
    }
  }
  return {kind: back ? "backward" : "first", now: operations[forward - Math.max(back, 1)], handed, known};
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
    const applied = /^[a-z]/.test(token) && Object.hasOwn(OPERATIONS, token);
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
  if (!learns(result)) throw Error("expected names with values, as in x = 3; x*x");
  return topological(result).filter(learns);
}

// ---------------------------------------------------------------------------------------------------- the graph

const HEIGHT = 376;  // that the graph has on one screen
const short = number => String(Number(number.toPrecision(4))).replace("-", "−");
const called = one => one.name || (learns(one) ? "…" : short(one.value));

function told({operation, parents}, say = called) {  // an operation in words: w · x
  const [a, b] = parents.map(say);
  if (operation === "leaf" || operation === "same") return a ?? "";
  if (operation === "neg") return `−${a}`;
  return parents.length === 1 ? `${operation}(${a})` : `${a} ${{"*": "·", "-": "−"}[operation] ?? operation} ${b}`;
}

/* Where each value stands: {value: [column, row]}. An operation stands a column after its last argument, between the
   rows of its arguments; a leaf a column before what uses it first. `bends` are the places between, in each column that
   a line crosses: bends(value, argument). */
function places(values) {
  const column = new Map(), row = new Map(), lines = new Map(), all = [...values], before = new Map();
  for (const one of values) {
    const parents = one.parents.filter(learns);
    column.set(one, 1 + Math.max(-1, ...parents.map(parent => column.get(parent))));
  }
  for (const leaf of values.filter(one => !one.parents.length && values.length > 1))
    column.set(leaf, Math.min(...values.filter(one => one.parents.includes(leaf)).map(one => column.get(one))) - 1);
  for (const one of values) {
    const bends = one.parents.map(parent => upTo(learns(parent) ? column.get(one) - column.get(parent) - 1 : 0).map(
      i => ({column: column.get(parent) + 1 + i})));
    lines.set(one, bends);
    before.set(one, one.parents.map((parent, i) => bends[i].at(-1) ?? parent).filter(learns));
    bends.forEach((some, i) => some.forEach((bend, j) => {
      column.set(bend, bend.column);
      before.set(bend, [j ? some[j - 1] : one.parents[i]]);
      all.push(bend);
    }));
  }
  let leaves = 0;
  for (const one of values.filter(({parents}) => !parents.length)) row.set(one, leaves++);
  for (const here of upTo(1 + Math.max(...column.values())).map(i => all.filter(one => column.get(one) === i))) {
    for (const one of here.filter(one => before.get(one).length))
      row.set(one, before.get(one).reduce((sum, place) => sum + row.get(place), 0) / before.get(one).length);
    here.sort((a, b) => row.get(a) - row.get(b)).forEach((one, i) => {  // those of a column keep apart
      if (i) row.set(one, Math.max(row.get(one), row.get(here[i - 1]) + 1));
    });
  }
  return {at: new Map(all.map(one => [one, [column.get(one), row.get(one)]])), bends: lines};
}

function drawGraph(values, {kind, now, handed, known}) {
  const {at, bends} = places(values), root = values[values.length - 1], panel = byId("graph");
  const titles = values.map(one => one.name && told(one) ? `${one.name} = ${told(one)}` : one.name || told(one));
  const longest = Math.max(...titles.map(({length}) => length));
  const {corner, box, upright, size, type} = layout(at, panel.clientWidth, longest);
  const ends = one => {  // where a line comes to a place, and where it leaves it
    const [x, y] = corner(one), [centre, middle] = [x + box.width / 2, y + box.height / 2];
    return upright ? [[centre, y], [centre, y + box.height]] : [[x, middle], [x + box.width, middle]];
  };
  let lines = "", boxes = "";
  values.forEach((one, number) => {
    const [x, y] = corner(one), later = one.parents.length && !known.has(one) ? "later" : "";
    one.parents.forEach((parent, i) => {
      if (!learns(parent)) return;
      const active = kind === "backward" && one === now && handed.some(({to}) => to === parent) ? "now" : "";
      const along = [parent, ...bends.get(one)[i], one].map(ends);
      lines += `<path class="${active} ${later}" d="M${along[0][1]}${along.slice(1).map(([come, leave], j) =>
        `${curve(along[j][1], come, upright)}${j < along.length - 2 ? `L${leave}` : ""}`).join("")}"/>`;
    });
    const arrived = one === root ? one.gradient : one.missing < uses(values, one);
    const rows = [["name", titles[number]], ["", later ? "" : short(one.value)],
                  ["gradient", arrived ? `grad ${short(one.gradient)}${one.missing ? " + …" : ""}` : ""]];
    boxes += `<g class="${one.parents.length ? "" : "leaf"} ${one === now ? "now" : ""} ${later}"
      transform="translate(${x} ${y})"><rect width="${box.width}" height="${box.height}" rx="8"/>` + rows.map(
      ([kind, line], i) => `<text class="${kind}" style="font-size:${type}px" x="12"
        y="${box.height * (0.29 + 0.3 * i)}">${escaped(line)}</text>`).join("") + "</g>";
  });
  panel.innerHTML = `<svg style="max-width:none" width="${size[0]}" height="${size[1]}" role="img"
    aria-label="the graph of the formula">${lines}${boxes}</svg>`;
}

function curve([x, y], [toX, toY], upright) {  // from a place to one in the next column
  const bend = 0.5 * (upright ? toY - y : toX - x);
  return upright ? `C${x} ${y + bend} ${toX} ${toY - bend} ${toX} ${toY}`
                 : `C${x + bend} ${y} ${toX - bend} ${toY} ${toX} ${toY}`;
}

function layout(at, width, letters) {  // the corners of the boxes, and their size; on a narrow page the graph runs down
  const [depths, rows] = [0, 1].map(axis => 1 + Math.max(...[...at.values()].map(place => place[axis])));
  const upright = width < 700, [columns, lines] = upright ? [rows, depths] : [depths, rows], edge = 4;
  const across = Math.max(Math.min((width - 2 * edge) / columns, 256), 112);
  const down = upright ? 112 : Math.max(Math.min(HEIGHT / lines, 112), 72);
  const box = {width: Math.min(across - (upright ? 8 : 32), 200), height: Math.min(down - (upright ? 32 : 8), 92)};
  const corner = one => [across, down].map((pitch, axis) => edge + pitch * at.get(one)[upright ? 1 - axis : axis]);
  const size = [(columns - 1) * across + box.width + 2 * edge, (lines - 1) * down + box.height + 2 * edge];
  const fits = type => letters * 0.62 * type < box.width - 16 && type * 4 < box.height;
  return {corner, box, upright, size, type: [20, 18].find(fits) ?? 16};
}

const uses = (values, one) => values.flatMap(({parents}) => parents).filter(parent => parent === one).length;

// ---------------------------------------------------------------------------------------------------- the page

function whole(one) {  // a value's name, or the whole of what computes it
  const {operation, name} = one, loose = operation === "+" || one.parents.length < 2;
  return name || !learns(one) ? called(one) : told(one, part => loose || part.name || part.parents.length < 2
    ? whole(part) : `(${whole(part)})`);
}

function sentence({kind, now, handed}, root) {  // what the last step did
  if (!now) return "The leaves have their values. The first step computes what needs only them.";
  const value = one => short(one.value);
  if (kind === "forward") return `Forward: ${whole(now)} = ${told(now, value)} = ${value(now)}.`;
  if (kind === "first") return `Backward begins: the gradient of ${whole(root)} by itself is 1.`;
  const parts = handed.map(({to, slope, amount}) =>
    `${short(now.gradient)} × ${short(slope)} = ${short(amount)} to ${whole(to)}`);
  return `Backward: ${whole(now)} hands ${parts.join(", and ")}.`;
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
  try {
    const last = lastStep(parse(formula)), here = Math.min(step, last);
    return {step: key === "ArrowLeft" ? Math.max(here - 1, 0) : Math.min(here + 1, last)};
  } catch {
    return null;  // there is no graph to walk
  }
}

const STEPS = 99, START = 5;  // the second path to y1 has not been walked
const example = i => ({formula: data.examples[i].formula, step: START});
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
