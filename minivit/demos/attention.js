const [LAYERS, , TOKENS, DIM] = data.inputs.shape, WIDTH = DIM / data.heads;  // of a head: d

// queries and keys of a picture in a layer: x W + b, the columns of all queries first.    -> (N, 2 D), row after row
const made = new Map();
function queriesAndKeys(layer, number) {
  const name = `${layer} ${number}`;
  if (!made.has(name)) made.set(name, linear(data.inputs.at(layer, number).values, data.weights.at(layer).values,
                                             data.biases.at(layer).values));
  return made.get(name);
}

function linear(x, weights, biases) {  // (N, D), (D, C), (C) -> (N, C)
  const columns = biases.length, result = new Float32Array(TOKENS * columns);
  for (let n = 0; n < TOKENS; n++) {
    const row = result.subarray(n * columns, (n + 1) * columns);
    row.set(biases);
    for (let d = 0; d < DIM; d++)
      for (let c = 0; c < columns; c++) row[c] += x[n * DIM + d] * weights[d * columns + c];
  }
  return result;
}

// softmax(q k^T / sqrt(d) / temperature): what one patch looks at.    -> N numbers
function attention({layer, head, picture: number, query, temperature, scaled}) {
  const both = queriesAndKeys(layer, number), scores = new Float32Array(TOKENS);
  for (let key = 0; key < TOKENS; key++)
    for (let i = head * WIDTH; i < (head + 1) * WIDTH; i++)
      scores[key] += both[query * 2 * DIM + i] * both[key * 2 * DIM + DIM + i];
  return softmax(scores.map(score => score / (scaled ? Math.sqrt(WIDTH) : 1) / temperature));
}

function draw(state) {
  const weights = attention(state), {layer, head, query} = state;
  picture(where.canvas, data.pictures.at(state.picture));
  heat(looks.canvas, weights, data.grid);
  for (const map of [where, looks]) map.mark(query);
  byId("told").textContent = `the most: ${percent(Math.max(...weights))}; ` +
    `entropy: ${entropy(weights).toFixed(2)} of ${Math.log(TOKENS).toFixed(2)}`;
  showMaps(ALL.map(one => attention({...state, ...one})), data.grid, layer * data.heads + head);
}

function keys(key, {query, layer, head}) {
  const next = arrowsMove(key, query, data.grid);
  if (next !== undefined) return {query: next};
  return {l: {layer: (layer + 1) % LAYERS}, h: {head: (head + 1) % data.heads}}[key];
}

const [where, looks] = ["where", "looks"].map(id => patchMap(byId(id), data.grid, query => page.set({query})));
byId("heads").style.gridTemplateColumns = `repeat(${data.heads}, 1fr)`;
const ALL = upTo(LAYERS * data.heads).map(i => ({layer: Math.floor(i / data.heads), head: i % data.heads}));
const showMaps = mapButtons(byId("heads"), ALL.map(({layer, head}) => `layer ${layer + 1}, head ${head + 1}`),
                            i => page.set(ALL[i]));

const page = demo({
  draw, keys,
  knobs: {
    temperature: range("temperature", {values: [0.25, 0.5, 1, 2, 4, Math.sqrt(WIDTH), 8, 16], start: 1,
                                       show: T => T.toFixed(2)}),
    picture: choice("picture", {options: pictureOptions(data.pictures), start: 4}),
    scaled: toggle("1/√d", {start: true}),
    layer: hidden({values: upTo(LAYERS), start: 1}),
    head: hidden({values: upTo(data.heads), start: 0}),
    query: hidden({values: upTo(TOKENS), start: 27}),
  },
});
sayKeys(["← → ↑ ↓", "query"], ["l", "layer"], ["h", "head"], ["space", "1/√d"]);
