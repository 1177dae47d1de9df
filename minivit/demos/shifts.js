"use strict";
const STILL = String(0);  // the convolution's name among the maps; the others are sizes of patches

function movedPicture(pixels, shift) {  // what leaves on the right comes back on the left
  const [height, width, channels] = pixels.shape, moved = new Uint8Array(pixels.values.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) for (let c = 0; c < channels; c++)
    moved[(y * width + (x + shift) % width) * channels + c] = pixels.values[(y * width + x) * channels + c];
  return new Grid(moved, pixels.shape);
}

function left(now, before, by) {  // now less before, moved along by so many places
  const columns = now.shape[1];
  return Array.from(now.values, (value, i) => {
    const from = ((i % columns) - by % columns + columns) % columns;
    return value - before.values[i - i % columns + from];
  });
}

function drawCuts(size) {
  let lines = "";
  for (let at = size; at < 32; at += size) lines += `M${at} 0V32M0 ${at}H32`;
  byId("cuts").setAttribute("viewBox", "0 0 32 32");
  byId("cuts").innerHTML = `<path d="${lines}" stroke="white" stroke-width=".4" opacity=".7"/>`;
}

function drawColumn(name, key, stride, shift, number) {
  const before = data.seen[key].at(0, number), now = data.seen[key].at(shift, number), columns = now.shape[1];
  const most = Math.max(...before.values.map(Math.abs)), signs = {from: -most, to: most, map: "RdBu"};
  heat(byId(`${name}-before`), before.values, columns, signs);
  heat(byId(name), now.values, columns, signs);
  heat(byId(`${name}-left`), left(now, before, Math.floor((shift + Math.floor(stride / 2)) / stride)), columns, signs);
}

function draw({shift, size: which, picture: number}) {
  const size = data.sizes[which];
  picture(byId("before"), data.pictures.at(number));
  picture(byId("moved"), movedPicture(data.pictures.at(number), shift));
  drawCuts(size);
  drawColumn("convolution", STILL, 1, shift, number);
  drawColumn("patches", String(size), size, shift, number);
  const like = key => data.shifts.map(one => data.similarities[key].at(one, number));
  lineChart(byId("chart"), {
    series: [{name: "convolution", x: data.shifts, y: like(STILL), colour: "query"},
             {name: "patches", x: data.shifts, y: like(size), colour: "key"}],
    x: {label: "shift in pixels", from: 0, to: 16, ticks: [0, 4, 8, 12, 16]},
    y: {label: "likeness to the first row (cosine)", from: 0, to: 1, ticks: [0, 0.5, 1]},
    at: shift, height: innerWidth > 800 ? 336 : 240,
    label: `likeness of a convolution's map and of tokens of ${size} x ${size} pixels, by shift`});
  byId("said").textContent = `Moved by ${shift}: convolution ${like(STILL)[shift].toFixed(2)}, ` +
    `patches of ${size} × ${size} pixels ${like(size)[shift].toFixed(2)}.`;
}

demo({knobs: {
  shift: range("shift", {values: data.shifts, start: 2}),
  size: choice("patch size", {options: data.sizes.map(String), start: 1}),
  picture: choice("picture", {options: pictureOptions(data.pictures), start: 2})}, draw});
sayKeys(["← →", "shift"], ["↑ ↓", "patch size"], ["space", "picture"]);
