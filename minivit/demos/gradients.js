"use strict";
/* A list of parts, from below: [inside a branch ...] is added to what it came from, a single name lies on the path. */
const PARTS = {"plain": ["attention", "MLP"],
               "residual": [["attention"], ["MLP"]],
               "post-norm": [["attention"], "norm", ["MLP"], "norm"],
               "pre-norm": [["norm", "attention"], ["norm", "MLP"]]};
const WIRINGS = Object.keys(PARTS), CHANCE = Math.log(10);

function drawWiring(node, parts) {
  const step = 46, middle = 136, beside = 24;
  let height = 352, boxes = "", paths = "";
  const box = name => {
    height -= step;
    const colour = name === "norm" ? "position" : "ink";
    boxes += `<rect x="${middle - 64}" y="${height - 16}" width="128" height="32" rx="10" fill="var(--page)"
      stroke="var(--${colour})" stroke-width="2"/><text x="${middle}" y="${height + 6}" text-anchor="middle"
      style="fill:var(--${colour})">${name}</text>`;
  };
  for (const part of parts) {
    if (typeof part === "string") { box(part); continue; }
    const leaves = height - 22;
    height -= 14;
    part.forEach(box);
    height -= step - 6;
    paths += `<path d="M${middle} ${leaves}H${beside}V${height}H${middle}" fill="none" stroke="var(--new)"
      stroke-width="4"/>`;
    boxes += `<circle cx="${middle}" cy="${height}" r="12" fill="var(--page)" stroke="var(--new)"
      stroke-width="2"/><text x="${middle}" y="${height + 6}" text-anchor="middle">+</text>`;
  }
  node.innerHTML = `<svg width="232" height="376" role="img" aria-label="one block: ${parts.flat().join(", ")}">
    <path d="M${middle} 352V${height - 36}m-6 10l6 -10l6 10" fill="none" stroke="var(--ink)" stroke-width="2"/>
    ${paths}${boxes}<text class="quiet" x="${middle}" y="372" text-anchor="middle">one block</text></svg>`;
}

function draw({wiring, step, depth: row}) {
  const depth = data.depths[row], column = data.steps.indexOf(step);
  const norms = name => Array.from(data.norms[name].at(row, column).values.subarray(0, depth));
  const series = WIRINGS.map((name, i) => ({name, x: norms(name).map((_, block) => block + 1), y: norms(name),
    colour: i === wiring ? "query" : "token", dashed: i !== wiring})).filter(({y}) => y.every(Number.isFinite));
  drawWiring(byId("wiring"), PARTS[WIRINGS[wiring]]);
  lineChart(byId("chart"), {
    series: [...series.filter(one => one.dashed), ...series.filter(one => !one.dashed)], height: innerWidth > 800 ? 352 : 280,
    x: {label: "block, from the picture to the loss", from: 1, to: depth, ticks: [1, depth / 2, depth]},
    y: {label: "norm of the gradient of a block’s weights", from: 1e-16, to: 1e8, log: true,
        ticks: ["1e-16", "1e-12", "1e-8", "1e-4", "1", "1e4", "1e8"]},
    label: `gradient norm of each of ${depth} blocks at step ${step}; ${WIRINGS[wiring]} is highlighted`});
  const chosen = norms(WIRINGS[wiring]), loss = data.losses[WIRINGS[wiring]].at(row, column);
  byId("finding").textContent = !chosen.every(Number.isFinite)
    ? `The loss is not finite any more: ${WIRINGS[wiring]} has diverged before step ${step}.`
    : `Block 1 gets ${times(chosen[0] / chosen[depth - 1])} the gradient of block ${depth}. ` +
      `Loss ${loss.toPrecision(3)}, guessing has ${CHANCE.toFixed(2)}.`;
}

const times = ratio => ratio >= 0.01 && ratio < 1000 ? `${ratio.toPrecision(2)} times` : `${ratio.toExponential(0)} times`;

demo({knobs: {wiring: choice("wiring", {options: WIRINGS}),
              step: range("training step", {values: data.steps, start: 0}),
              depth: choice("blocks", {options: data.depths.map(String), start: data.depths.length - 1})}, draw});
sayKeys(["← →", "wiring"], ["↑ ↓", "training step"], ["space", "blocks"]);
