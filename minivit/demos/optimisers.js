"use strict";
const SURFACES = Object.keys(data.places), LAST = data.losses[SURFACES[0]].shape[2] - 1;
const COLOURS = ["query", "key", "value", "class-token"];  // of the optimisers, in their order
const AXES = {along: ["W₁₁", "W₂₂"], across: ["W₁₁ = W₂₂", "W₁₂ = W₂₁"], saddle: ["W₁₁", "W₂₂"]};
const FRAMES = 40;  // milliseconds of a step while it plays

function drawMap(surface, rate, step) {
  const [canvas, svg] = byId("map").children, side = Math.round(byId("map").clientWidth);
  shade(canvas, data.heights[surface], side * devicePixelRatio);
  const place = ([x, y]) => [side / 2 * (1 + x / data.reach), side / 2 * (1 - y / data.reach)];
  const start = place(data.places[surface].at(rate, 0, 0).values), [across, up] = AXES[surface];
  let shapes = "";
  data.optimisers.forEach((name, i) => {
    const points = walked(surface, rate, i, step).map(place);
    const line = points.map(point => point.map(one => one.toFixed(1)).join(" ")).join("L");
    const dots = points.map(([x, y]) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3"/>`).join("");
    const [x, y] = points[points.length - 1];
    shapes += `<g data-optimiser="${name}" fill="var(--${COLOURS[i]})" stroke="none"><path d="M${line}" fill="none"
      stroke="var(--${COLOURS[i]})" stroke-width="2.5" stroke-linejoin="round"/>${dots}
      <circle cx="${x}" cy="${y}" r="7"/></g>`;
  });
  svg.setAttribute("viewBox", `0 0 ${side} ${side}`);
  svg.innerHTML = `${shapes}<circle cx="${start[0]}" cy="${start[1]}" r="12" fill="none" stroke="var(--ink)"
    stroke-width="3"/><text x="${side - 8}" y="${side - 10}" text-anchor="end">${across} →</text>
    <text x="8" y="22">↑ ${up}</text>`;
}

// the places up to a step, without those after the first far outside of the map
function walked(surface, rate, optimiser, step) {
  const {values} = data.places[surface].at(rate, optimiser), points = [];
  for (let i = 0; i <= step && (i === 0 || outside(points[i - 1]) === false); i++) {
    const point = [values[2 * i], values[2 * i + 1]];
    if (!point.every(Number.isFinite)) break;
    points.push(point.map(one => Math.max(-1e4, Math.min(1e4, one))));
  }
  return points;
}

const outside = point => point.some(one => Math.abs(one) > 4 * data.reach);

function shade(canvas, heights, side) {  // a line at equal steps of the root of the loss; the higher, the darker
  const [rows, columns] = heights.shape, scale = 12 / Math.sqrt(Math.max(...heights.values));
  const level = (x, y) => {  // between the points of the grid, linearly
    const u = x / side * (columns - 1), v = (1 - y / side) * (rows - 1);
    const i = Math.min(Math.floor(u), columns - 2), j = Math.max(Math.min(Math.floor(v), rows - 2), 0);
    const [p, q] = [u - i, v - j], at = (row, column) => heights.values[row * columns + column];
    return scale * Math.sqrt(Math.max(0, (1 - q) * ((1 - p) * at(j, i) + p * at(j, i + 1)) +
                                         q * ((1 - p) * at(j + 1, i) + p * at(j + 1, i + 1))));
  };
  side = Math.round(side);
  if (!side) return;  // on a slide that is not shown yet; when it is, a resize draws again
  const image = new ImageData(side, side), ink = getComputedStyle(document.body).color.match(/\d+/g).map(Number);
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
    const here = Math.floor(level(x, y)), line = here !== Math.floor(level(x + 1, y)) || here !== Math.floor(level(x, y + 1));
    image.data.set([...ink.slice(0, 3), line ? 72 : 3 + 3 * here], 4 * (y * side + x));
  }
  Object.assign(canvas, {width: side, height: side});
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function draw({rate, step, surface}) {
  const name = SURFACES[surface], row = data.rates.indexOf(rate), losses = data.losses[name];
  drawMap(name, row, step);
  lineChart(byId("chart"), {
    series: data.optimisers.map((optimiser, i) => ({name: optimiser, colour: COLOURS[i],
      x: Array.from({length: step + 1}, (_, n) => n), y: losses.at(row, i).values.subarray(0, step + 1)})),
    x: {label: "step", from: 0, to: LAST, ticks: [0, 20, 40, 60]},
    y: {label: "loss", from: 1e-5, to: 1e3, log: true, ticks: ["0.0001", "0.01", "1", "100"]},
    height: 288, label: `loss of ${data.optimisers.join(", ")} over ${step} steps with learning rate ${rate}`});
  const ends = data.optimisers.map((_, i) => losses.at(row, i, LAST));
  const gone = data.optimisers.filter((_, i) => !(ends[i] < 1e6)), best = ends.indexOf(Math.min(...ends));
  byId("gone").textContent = (gone.length ? `${gone.join(" and ")} ${gone.length > 1 ? "diverge. " : "diverges. "}` : "") +
    `Lowest after ${LAST} steps: ${data.optimisers[best]}, ${ends[best].toPrecision(2)}.`;
}

const {state, set} = demo({knobs: {
  rate: range("learning rate", {values: data.rates, start: 0.0794}),
  step: range("step", {values: upTo(LAST + 1), start: 40}),
  surface: choice("", {options: ["valley", "turned valley", "saddle"]})}, draw,
  keys: key => { if (key === "p") play(); return key === "p" ? {step: state.step} : null; }});
sayKeys(["← →", "learning rate"], ["↑ ↓", "step"], ["space", "surface"], ["p", "play"]);

let playing = 0;
function play() {
  clearInterval(playing);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) { set({step: LAST}); return; }
  set({step: 0});
  playing = setInterval(() => state.step < LAST ? set({step: state.step + 1}) : clearInterval(playing), FRAMES);
}
byId("play").onclick = play;
