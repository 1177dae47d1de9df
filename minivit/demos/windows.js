"use strict";
const CELL = 50, {side, window: M} = data, n = M * M;
const BUILDS = ["1 Windows", "2 Windows, moved", "3 Rolled", "4 Attention without a mask", "5 Attention with the mask",
                "6 Rolled back"];
const COLOURS = ["query", "key", "value", "class-token", "new", "position", "loss", "token", "ink"];  // of nine regions

const tiles = Array.from({length: side * side}, (_, token) => {  // each shows its own patch of the picture
  const tile = element("canvas", {"data-token": token}), P = data.picture.shape[0] / side;
  const whole = picture(element("canvas"), data.picture);
  Object.assign(tile, {width: P, height: P});
  tile.getContext("2d").drawImage(whole, -(token % side) * P, -Math.floor(token / side) * P);
  tile.onclick = () => page.set({token});
  return tile;
});
byId("board").append(...tiles, document.createElementNS("http://www.w3.org/2000/svg", "svg"));

// what a step of the build shows: whether the grid is rolled, by how much windows are moved, and whose attention
const isRolled = build => build >= 2 && build <= 4;
const movedBy = (build, shift) => build === 0 ? 0 : shift;

function placeOf(token, rolled, shift) {  // column and row on the board
  const back = rolled ? shift : 0;
  return [token % side, Math.floor(token / side)].map(one => (one - back + side) % side);
}

function lookedAt(build, token, shift) {  // {token: weight} of what a token looks at
  const by = movedBy(build, shift), members = data.members.at(by).values, slot = members.indexOf(token);
  const [window, row] = [Math.floor(slot / n), slot % n];
  const weights = data.attention.at(by, build >= 4 ? 1 : 0, window, row).values;
  return new Map(Array.from(weights, (weight, i) => [members[window * n + i], weight]));
}

function drawBoard({build, token, shift}) {
  const rolled = isRolled(build), by = movedBy(build, shift), regions = data.regions.at(by).values;
  const looking = build >= 3, weights = lookedAt(build, token, shift);
  const most = Math.max(...weights.values());
  let svg = "";
  tiles.forEach((tile, one) => {
    const [x, y] = placeOf(one, rolled, shift);
    tile.style.transform = `translate(${CELL * x}px, ${CELL * y}px)`;
    tile.style.opacity = looking ? 0.12 + 0.88 * (weights.get(one) ?? 0) / most : 1;
    if (build > 0) svg += `<rect x="${CELL * x + 3}" y="${CELL * y + 3}" width="${CELL - 8}" height="${CELL - 8}" fill="none"
      stroke="var(--${COLOURS[regions[one]]})" stroke-width="4"/>`;
  });
  const starts = [...Array(side / M).keys()].map(i => i * M), moved = !rolled && by ? by : 0;
  let lines = "";
  for (const start of [...starts.map(at => at + moved), moved ? 0 : side, side]) {
    const at = CELL * start - 1;
    lines += `M${at} 0V${CELL * side}M0 ${at}H${CELL * side}`;
  }
  svg += `<path d="${lines}" stroke="var(--ink)" stroke-width="4" fill="none"/>`;
  const [x, y] = placeOf(token, rolled, shift);
  svg += `<rect x="${CELL * x}" y="${CELL * y}" width="${CELL - 2}" height="${CELL - 2}" fill="none" stroke="var(--ink)"
    stroke-width="7"/><rect x="${CELL * x}" y="${CELL * y}" width="${CELL - 2}" height="${CELL - 2}" fill="none"
    stroke="var(--page)" stroke-width="2"/>`;
  byId("board").lastChild.setAttribute("viewBox", `-4 -4 ${CELL * side + 8} ${CELL * side + 8}`);
  byId("board").lastChild.innerHTML = svg;
}

function drawMatrix({build, token, shift}) {  // the window's n x n pairs: what the mask allows, then how much they look
  const by = movedBy(build, shift), slot = data.members.at(by).values.indexOf(token), window = Math.floor(slot / n);
  const mask = data.masks.at(by, window).values, weights = data.attention.at(by, build >= 4 ? 1 : 0, window).values;
  const canvas = byId("matrix");
  heat(canvas, build < 3 ? mask : weights, n, {from: 0});
  const pen = canvas.getContext("2d"), large = element("canvas", {width: 16 * n, height: 16 * n});
  const draw = large.getContext("2d");
  draw.imageSmoothingEnabled = false;
  draw.drawImage(canvas, 0, 0, 16 * n, 16 * n);
  draw.strokeStyle = colour("new");
  draw.lineWidth = 3;
  draw.strokeRect(1, 16 * (slot % n) + 1, 16 * n - 2, 14);
  Object.assign(canvas, {width: 16 * n, height: 16 * n});
  pen.drawImage(large, 0, 0);
  const [row, strangers] = [mask.subarray(slot % n * n, (slot % n + 1) * n), weights.subarray(slot % n * n)];
  return {seen: row.reduce((sum, one) => sum + one, 0), away: row.reduce((sum, one, i) => sum + (1 - one) * strangers[i], 0)};
}

function draw(state) {
  const {build, shift} = state;
  drawBoard(state);
  const {seen, away} = drawMatrix(state), count = new Set(data.regions.at(movedBy(build, shift)).values).size;
  byId("shades").textContent = build < 3 ? "yellow is allowed, dark is masked." : "the brighter, the more.";
  byId("step").textContent = BUILDS[build];
  byId("told").textContent = [
    `Each token looks at its own ${M} × ${M} window: ${count} windows, which never meet.`,
    `Moved by ${shift}, windows bridge the old borders, but ${count} pieces of unequal size are left.`,
    `Rolled by ${shift}, the pieces fill ${side * side / n} whole windows. Pieces of different colour are no neighbours.`,
    `Without a mask, ${(100 * away).toFixed(0)} % of the marked token’s attention goes to tokens from elsewhere. ` +
      `Windows are moved by ${shift}.`,
    `With the mask none does: the marked token sees ${seen} of ${n}. Moved by ${shift}, ${count} pieces stay apart.`,
    `Rolled back by ${shift}: each token stands where it was, and has looked across the old borders.`][build];
}

const page = demo({draw, knobs: {
  build: range("build", {values: upTo(BUILDS.length), start: 2, show: i => `${i + 1} of ${BUILDS.length}`}),
  token: range("token", {values: upTo(tiles.length), start: 0}),
  shift: choice("moved by", {options: data.shifts.map(String), start: 2})}});
sayKeys(["← →", "build"], ["↑ ↓", "token"], ["space", "moved by"], ["click", "choose a token"]);
