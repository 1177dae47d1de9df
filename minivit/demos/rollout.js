const [LAYERS, , TOKENS] = data.attention.shape;

// rows of (s I + (1 - s) A_l) ... (s I + (1 - s) A_1): what reaches one patch, after each layer.    -> L times N numbers
function rollout(number, query, share) {
  return upTo(LAYERS).map(last => {
    let row = upTo(TOKENS).map(patch => Number(patch === query));
    for (let layer = last; layer >= 0; layer--) row = throughLayer(row, data.attention.at(layer, number).values, share);
    return row;
  });
}

function throughLayer(row, map, share) {  // row (s I + (1 - s) A)
  const result = row.map(weight => share * weight);
  row.forEach((weight, from) => {
    for (let to = 0; to < TOKENS; to++) result[to] += (1 - share) * weight * map[from * TOKENS + to];
  });
  return result;
}

function draw({layer, residual, picture: number, query}) {
  const maps = upTo(LAYERS).map(one => Array.from(data.attention.at(one, number, query).values));
  const reaching = rollout(number, query, residual);
  picture(where.canvas, data.pictures.at(number));
  heat(looks.canvas, maps[layer - 1], data.grid);
  heat(reached.canvas, reaching[layer - 1], data.grid);
  for (const map of [where, looks, reached]) map.mark(query);
  const evenness = shares => `spread as over ${Math.exp(entropy(shares)).toFixed(0)} of ${TOKENS}`;
  byId("one").textContent = `layer ${layer} alone: ${evenness(maps[layer - 1])}`;
  byId("all").textContent = `layers 1 to ${layer}: ${evenness(reaching[layer - 1])}`;
  showLayers(maps, data.grid, layer - 1);
  showDepths(reaching, data.grid, layer - 1);
}

const [where, looks, reached] = ["where", "looks", "reached"].map(
  id => patchMap(byId(id), data.grid, query => page.set({query})));
const [showLayers, showDepths] = ["layers", "depths"].map(
  id => mapButtons(byId(id), upTo(LAYERS).map(i => `layer ${i + 1}`), i => page.set({layer: i + 1})));

const page = demo({
  draw,
  knobs: {
    layer: range("layer", {values: upTo(LAYERS).map(i => i + 1), start: 3}),
    residual: range("residual", {values: upTo(10).map(i => i / 10), start: 0.5}),
    picture: choice("picture", {options: pictureOptions(data.pictures), start: 4}),
    query: hidden({values: upTo(TOKENS), start: 27}),
  },
});
sayKeys(["← →", "layer"], ["↑ ↓", "residual"], ["space", "picture"]);
