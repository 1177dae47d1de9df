"use strict";
/* What every demo finds.

   data                          what data() of the Python file returned; arrays as Grids
   demo({knobs, draw, keys})     builds the knobs and keeps their state: in the controls, in the keys, in the link
   range, choice, toggle, text, press, hidden      the kinds of knobs: at most three, hidden ones not counted
   draw(state)                   the script's own: shows a state, {name of a knob: its value}; called after each change
   keys(key, state)              the script's own, optional: {name: new value} for a key that is not the knobs'

   The first knob moves by left and right, the second by up and down, the third by space; r resets. */

// ---------------------------------------------------------------------------------------------------- arrays

class Grid {  // an array: its values one after the other, and its shape
  constructor(values, shape) { this.values = values; this.shape = shape; }

  at(...index) {  // what stands at the first indices: a Grid of the other axes, or a number
    const rest = this.shape.slice(index.length);
    const size = rest.reduce((product, length) => product * length, 1);
    const start = size * index.reduce((sum, i, axis) => sum * this.shape[axis] + i, 0);
    return rest.length ? new Grid(this.values.subarray(start, start + size), rest) : this.values[start];
  }
}

function decode(value) {
  if (Array.isArray(value)) return value.map(decode);
  if (value === null || typeof value !== "object") return value;
  if (!("base64" in value)) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, decode(one)]));
  const bytes = Uint8Array.from(atob(value.base64), letter => letter.charCodeAt(0)).buffer;
  const kinds = {uint8: Uint8Array, int16: Int16Array, int32: Int32Array, float32: Float32Array, float64: Float64Array};
  const half = value.dtype === "float16";
  return new Grid(half ? Float32Array.from(new Uint16Array(bytes), fromHalf) : new kinds[value.dtype](bytes),
                  value.shape);
}

function fromHalf(bits) {  // IEEE 754: 1 bit sign, 5 bits exponent, 10 bits fraction
  const sign = bits & 0x8000 ? -1 : 1, exponent = bits >> 10 & 31, fraction = (bits & 1023) / 1024;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
}

const data = decode(JSON.parse(document.getElementById("data").textContent));

function softmax(scores) {  // exp(s_i) / sum_j exp(s_j)
  const highest = Math.max(...scores), powers = Array.from(scores, score => Math.exp(score - highest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map(power => power / sum);
}

const entropy = shares => -shares.reduce((sum, p) => sum + (p ? p * Math.log(p) : 0), 0);  // in nats

// ---------------------------------------------------------------------------------------------------- knobs

// Each kind: its value at the start, the values that it can take (null: any), and the control, made by `build`.
const range = (label, {values, start, show = String}) => ({label, values, start, build: buildRange, show});
const choice = (label, {options, start = 0}) =>
  ({label, values: upTo(options.length), start, build: buildChoice, options});
const toggle = (label, {start}) => ({label, values: [false, true], start, build: buildToggle});
const press = (label, {times = 1000} = {}) =>  // a button; its value counts how often it was pressed
  ({label, values: upTo(times), start: 0, build: buildPress});
const text = (label, {start}) => ({label, values: null, start, build: buildText});
const hidden = ({values, start}) => ({values, start});  // state that is changed on the stage, as by a click

function buildRange(knob, set) {
  const label = element("label"), slider = element("input", {type: "range", min: 0, max: knob.values.length - 1});
  const output = element("output");
  label.append(knob.label + " ", slider, output);
  slider.oninput = () => set(knob.values[slider.value]);
  return {node: label, control: slider, show(value) {
    slider.value = knob.values.indexOf(value);
    output.textContent = " " + knob.show(value);
    slider.setAttribute("aria-valuetext", knob.show(value));
  }};
}

function buildChoice(knob, set, name) {
  const fieldset = element("fieldset"), legend = element("legend");
  legend.textContent = knob.label;
  fieldset.append(legend);
  const radios = knob.options.map((option, i) => {
    const label = element("label"), radio = element("input", {type: "radio", name, value: i}), face = element("span");
    face.append(option);
    label.append(radio, face);
    fieldset.append(label);
    radio.onchange = () => set(i);
    return radio;
  });
  return {node: fieldset, control: radios[0], show(value) { radios[value].checked = true; }};
}

function buildToggle(knob, set) {
  const label = element("label"), box = element("input", {type: "checkbox"});
  label.append(box, " " + knob.label);
  box.onchange = () => set(box.checked);
  return {node: label, control: box, show(value) { box.checked = value; }};
}

function buildPress(knob, set, name, get) {
  const button = element("button", {type: "button"});
  button.textContent = knob.label;
  button.onclick = () => set((get() + 1) % knob.values.length);
  return {node: button, control: button, show() {}};
}

function buildText(knob, set) {
  const label = element("label"), input = element("input", {type: "text", spellcheck: false, autocomplete: "off"});
  label.append(knob.label + " ", input);
  input.oninput = () => set(input.value);
  return {node: label, control: input, show(value) { if (input.value !== value) input.value = value; }};
}

function demo({knobs, draw, keys = () => null}) {
  const names = Object.keys(knobs), shown = names.filter(name => knobs[name].build);
  if (shown.length > 3) throw Error(`demo: expected at most three knobs, got ${shown.length}`);
  const start = Object.fromEntries(names.map(name => [name, knobs[name].start]));
  const state = {...start}, controls = {}, form = document.getElementById("knobs");

  function set(changes) {
    Object.assign(state, changes);
    for (const name of shown) controls[name].show(state[name]);
    rememberInLink(state, start);
    draw(state);
  }

  function step(name, by) {  // to the value before or after; a toggle, a button and a choice go round
    const {values, build} = knobs[name];
    if (!values) return;
    const here = values.indexOf(state[name]) + by, last = values.length - 1;
    set({[name]: values[build === buildRange ? Math.min(Math.max(here, 0), last) : (here + last + 1) % (last + 1)]});
  }

  const steps = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1], " ": [2, 1]};
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || belongsTo(event.target, event.key)) return;
    let changes = keys(event.key, state);
    if (!changes && event.key === "r") changes = start;
    if (changes) set(changes);
    else if (event.key in steps && shown[steps[event.key][0]]) step(shown[steps[event.key][0]], steps[event.key][1]);
    else return;
    event.preventDefault();
  });

  for (const name of shown) {
    controls[name] = knobs[name].build(knobs[name], value => set({[name]: value}), name, () => state[name]);
    controls[name].node.dataset.knob = name;
    form.append(controls[name].node);
  }
  byId("reset").onclick = () => set(start);
  form.onsubmit = event => event.preventDefault();

  const again = () => draw(state);
  const restore = () => set({...start, ...readLink(knobs)});
  addEventListener("resize", again);
  addEventListener("hashchange", restore);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  restore();
  return {state, set};
}

function belongsTo(target, key) {  // whether a key is for the control that has the focus
  if (target.type === "text") return true;
  if (key === " ") return ["checkbox", "button"].includes(target.type);
  return key.startsWith("Arrow") && ["range", "radio"].includes(target.type);
}

function sayKeys(...pairs) {  // sayKeys(["← →", "temperature"], ...): the line below the question
  document.getElementById("keys").innerHTML =
    [...pairs, ["r", "reset"]].map(([key, what]) => `<kbd>${key}</kbd> ${what}`).join(" &ensp; ");
}

// the link: #temperature=4&picture=2 holds what differs from the start; theme=dark or theme=light holds to one of them
function rememberInLink(state, start) {
  const link = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(state)) {
    if (value === start[name]) link.delete(name);
    else link.set(name, value);
  }
  if (location.protocol !== "about:")  // a page inside another one has no link of its own
    history.replaceState(null, "", link.size ? `#${link}` : location.pathname + location.search);
}

function readLink(knobs) {
  const read = {}, link = new URLSearchParams(location.hash.slice(1));
  document.documentElement.className = ["dark", "light"].includes(link.get("theme")) ? link.get("theme") : "";
  for (const [name, {values}] of Object.entries(knobs)) {
    if (!link.has(name)) continue;
    const value = values ? values.find(one => String(one) === link.get(name)) : link.get(name);
    if (value !== undefined) read[name] = value;
  }
  return read;
}

// ---------------------------------------------------------------------------------------------------- pictures

const upTo = count => Array.from({length: count}, (_, i) => i);  // [0, 1, ... count - 1]

function element(tag, attributes = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const percent = share => `${(100 * share).toFixed(1)} %`;
const byId = id => document.getElementById(id);
const escaped = words => String(words).replace(/[&<>"]/g, letter => `&#${letter.charCodeAt(0)};`);

const colour = meaning => getComputedStyle(document.documentElement).getPropertyValue(`--${meaning}`);  // for a canvas

// the colour of a number between 0 and 1, [red, green, blue]; `map` is "viridis" for amounts, "RdBu" for signs
const colourOf = (number, map = "viridis") =>
  [...data.maps[map].at(Math.round(255 * Math.min(Math.max(number, 0), 1))).values];

function picture(canvas, pixels) {  // uint8 Grid (height, width, 3), one pixel of the canvas each
  const [height, width] = pixels.shape, image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++)
    image.data.set([pixels.values[3 * i], pixels.values[3 * i + 1], pixels.values[3 * i + 2], 255], 4 * i);
  Object.assign(canvas, {width, height});
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function pictureOptions(pictures, size = 40) {  // small pictures to choose from, uint8 Grid (N, height, width, 3)
  return upTo(pictures.shape[0]).map(i => {
    const canvas = picture(element("canvas", {role: "img", "aria-label": `picture ${i + 1}`}), pictures.at(i));
    canvas.style.width = canvas.style.height = `${size}px`;
    return canvas;
  });
}

function pictureButtons(node, pictures, pick) {  // to choose on the stage; returns a function that shows the choice
  const buttons = pictureOptions(pictures).map((canvas, i) => {
    const button = element("button", {type: "button", "aria-label": `picture ${i + 1}`});
    button.append(canvas);
    button.onclick = () => pick(i);
    return button;
  });
  node.classList.add("pictures");
  node.append(...buttons);
  return chosen => buttons.forEach((button, i) => button.setAttribute("aria-pressed", i === chosen));
}

function heat(canvas, values, columns, {from = 0, to = Math.max(...values), map = "viridis"} = {}) {
  const rows = values.length / columns, image = new ImageData(columns, rows);
  for (let i = 0; i < values.length; i++)
    image.data.set([...colourOf((values[i] - from) / (to - from || 1), map), 255], 4 * i);
  Object.assign(canvas, {width: columns, height: rows});
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/* Small heat maps to choose from, a button each: `pick(i)` is called with the number of one that is clicked.
   Returns show(maps, columns, chosen), which draws them and presses the chosen one. */
function mapButtons(node, labels, pick) {
  const buttons = labels.map((label, i) => {
    const button = element("button", {type: "button", "aria-label": label});
    button.append(element("canvas"));
    button.onclick = () => pick(i);
    node.append(button);
    return button;
  });
  return (maps, columns, chosen) => buttons.forEach((button, i) => {
    heat(button.firstChild, maps[i], columns);
    button.setAttribute("aria-pressed", i === chosen);
  });
}

/* A picture or a heat map in which a patch is chosen by a click: `pick(patch)` is called with its number, row by row.
   Returns {canvas, mark}: mark(patch) draws the frame. */
function patchMap(node, grid, pick) {
  const canvas = element("canvas"), frame = element("i");
  node.classList.add("map");
  node.append(canvas, frame);
  node.onclick = event => {
    const box = node.getBoundingClientRect();
    const [column, row] = [event.clientX - box.left, event.clientY - box.top].map(
      distance => Math.min(Math.floor(distance / box.width * grid), grid - 1));
    pick(row * grid + column);
  };
  frame.style.width = frame.style.height = `${100 / grid}%`;
  return {canvas, mark(patch) {
    frame.style.left = `${patch % grid * 100 / grid}%`;
    frame.style.top = `${Math.floor(patch / grid) * 100 / grid}%`;
  }};
}

function arrowsMove(key, patch, grid) {  // the neighbour of a patch to which an arrow key leads, or undefined
  const row = Math.floor(patch / grid), column = patch % grid, last = grid - 1;
  return {ArrowLeft: patch - (column > 0), ArrowRight: patch + (column < last),
          ArrowUp: patch - (row > 0) * grid, ArrowDown: patch + (row < last) * grid}[key];
}

// ---------------------------------------------------------------------------------------------------- charts

function bars(node, names, shares, truth = null) {  // shares of 1, a bar each; the name that is true stands out
  if (!node.children.length) {
    node.classList.add("bars", "moves");
    node.innerHTML = names.map(name => `<span>${escaped(name)}</span><i></i><b></b>`).join("");
  }
  const [labels, rods, percents] = ["span", "i", "b"].map(tag => node.querySelectorAll(tag));
  shares.forEach((share, i) => {
    labels[i].className = names[i] === truth ? "true" : "";
    rods[i].style.width = `${100 * share}%`;
    percents[i].textContent = percent(share);
  });
}

/* Lines in an element, as wide as it is. Labels stand at the end of their line.
   series: [{name, x: [...], y: [...], colour: "query", dashed}], colour a meaning of the palette
   x, y: {label, from, to, log, ticks: [...]};  at: a value of x that is marked by a vertical line */
function lineChart(node, {series, x, y, at, height = 280, label}) {
  const width = node.clientWidth, left = 64, right = 112, top = 28, bottom = 48;
  const place = (axis, start, end) => value => {
    const [a, b, v] = [axis.from, axis.to, value].map(one => axis.log ? Math.log(one) : one);
    return start + (end - start) * Math.min(Math.max((v - a) / (b - a), 0), 1);
  };
  const across = place(x, left, width - right), down = place(y, height - bottom, top);
  let svg = "";
  let free = -Infinity;  // where there is no tick yet
  for (const tick of x.ticks) {
    if (across(tick) < free) continue;
    svg += `<text class="quiet" x="${across(tick)}" y="${height - bottom + 20}" text-anchor="middle">${tick}</text>`;
    free = across(tick) + 40;
  }
  for (const tick of y.ticks) svg += `<path d="M${left} ${down(tick)}H${width - right}" stroke="var(--quiet)"
    opacity=".35"/><text class="quiet" x="${left - 8}" y="${down(tick) + 5}" text-anchor="end">${tick}</text>`;
  svg += `<text x="${(left + width - right) / 2}" y="${height - 6}" text-anchor="middle">${escaped(x.label)}</text>
    <text x="0" y="16">${escaped(y.label)}</text>`;
  if (at !== undefined) svg += `<path d="M${across(at)} ${top}V${height - bottom}" stroke="var(--new)"
    stroke-width="3"/>`;
  const names = [];
  for (const {name, x: xs, y: ys, colour, dashed} of series) {
    const points = Array.from(xs, (one, i) => `${across(one).toFixed(1)} ${down(ys[i]).toFixed(1)}`);
    svg += `<path d="M${points.join("L")}" fill="none" stroke="var(--${colour})" stroke-width="3"
      ${dashed ? 'stroke-dasharray="8 6"' : ""}/>`;
    names.push([down(ys[ys.length - 1]) + 5, name, colour]);
  }
  names.sort((a, b) => a[0] - b[0]).forEach(([height, name, colour], i) => {  // labels keep apart
    if (i) names[i][0] = Math.max(height, names[i - 1][0] + 20);
    svg += `<text x="${width - right + 8}" y="${names[i][0]}" style="fill:var(--${colour})">${escaped(name)}</text>`;
  });
  node.innerHTML = `<svg width="${width}" height="${height}" role="img" aria-label="${escaped(label)}">${svg}</svg>`;
}
