"use strict";
function seenPart(pixels, mask) {  // hidden patches are grey
  const seen = pixels.values.slice(), [height, width] = pixels.shape, side = Math.round(Math.sqrt(mask.length));
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++)
    if (mask[Math.floor(y * side / height) * side + Math.floor(x * side / width)])
      seen.fill(128, 3 * (y * width + x), 3 * (y * width + x) + 3);
  return new Grid(seen, pixels.shape);
}

function draw({ratio, picture: number, known}) {
  const row = data.ratios.indexOf(ratio), mask = data.masks.at(row).values, whole = data.pictures.at(number);
  picture(byId("whole"), whole);
  picture(byId("seen"), seenPart(whole, mask));
  picture(byId("painted"), data.paintings.at(known ? 1 : 0, row, number));
  const errors = data.ratios.map((_, i) => data.errors.at(i, number)), count = data.pictures.shape[0];
  const mean = data.ratios.map((_, i) => data.errors.at(i).values.reduce((sum, one) => sum + one, 0) / count);
  const hidden = mask.reduce((sum, one) => sum + one, 0);
  byId("said").textContent = `${mask.length - hidden} of ${mask.length} patches are seen. Error of this picture's hidden ` +
    `patches ${errors[row].toFixed(2)}; a guess of their mean has ${data.without.toFixed(2)}.`;
  lineChart(byId("chart"), {
    series: [{name: "this picture", x: data.ratios, y: errors, colour: "query"},
             {name: "all eight", x: data.ratios, y: mean, colour: "token", dashed: true}],
    x: {label: "hidden, in percent", from: 10, to: 95, ticks: [10, 25, 50, 75, 95]},
    y: {label: "error of the hidden patches", from: 0, to: 1.5, ticks: [0, 0.5, 1, 1.5]}, at: ratio, height: 320,
    label: "error of the hidden patches by the share that is hidden"});
}

demo({draw, knobs: {
  ratio: range("hidden", {values: data.ratios, start: 75, show: ratio => `${ratio} %`}),
  picture: choice("picture", {options: pictureOptions(data.pictures), start: 6}),
  known: toggle("mean known", {start: false})}});
sayKeys(["← →", "hidden"], ["↑ ↓", "picture"], ["space", "mean and contrast of hidden patches known"]);
