const PIXEL = 16, GAP = 12;  // on the canvas: a pixel of the picture, the gap between two pieces
const showChoice = pictureButtons(byId("choose"), data.pictures, number => page.set({picture: number}));

function draw({order, size, positions, picture: chosen}) {
  const sizeIndex = data.sizes.indexOf(size);
  const answer = (ordering, number) =>
    Array.from(data.answers.at(Number(positions), sizeIndex, ordering, number).values);
  drawPieces(data.pictures.at(chosen), size, data.orders[sizeIndex].at(order).values, positions);
  bars(byId("answer"), data.classes, answer(order, chosen), data.names[chosen]);
  const change = Math.max(...answer(order, chosen).map((p, i) => Math.abs(p - answer(0, chosen)[i])));
  byId("change").textContent = change < 1e-5 ? "none" : `${(100 * change).toFixed(1)} points`;
  const saysTruth = (name, i) => data.classes[answer(order, i).indexOf(Math.max(...answer(order, i)))] === name;
  byId("right").textContent = data.names.filter(saysTruth).length;
  showChoice(chosen);
}

function drawPieces(pixels, size, order, positions) {  // with gaps; on each patch of the model its position
  const canvas = byId("pieces"), whole = picture(element("canvas"), pixels), side = 32 / size;
  const start = pixel => pixel * PIXEL + Math.floor(pixel / size) * GAP, pen = canvas.getContext("2d");
  canvas.width = canvas.height = start(32) - GAP;
  pen.imageSmoothingEnabled = false;
  order.forEach((piece, place) => {
    const [[fromX, fromY], [x, y]] = [piece, place].map(one => [one % side * size, Math.floor(one / side) * size]);
    pen.drawImage(whole, fromX, fromY, size, size, start(x), start(y), size * PIXEL, size * PIXEL);
  });
  if (!positions) return;
  const em = canvas.width / 25;  // 16 px on the screen
  pen.font = `600 ${em}px system-ui, sans-serif`;
  for (let patch = 0; patch < 64; patch++) {
    const x = start(patch % 8 * 4), y = start(Math.floor(patch / 8) * 4);
    pen.fillStyle = colour("page");
    pen.fillRect(x, y, 1.5 * em, 1.1 * em);
    pen.fillStyle = colour("position");
    pen.fillText(patch, x + 0.1 * em, y + 0.95 * em);
  }
}

const page = demo({
  draw,
  keys: key => "12345678".includes(key) ? {picture: key - 1} : null,
  knobs: {
    order: range("order", {values: upTo(data.answers.shape[2]), start: 1, show: i => i ? `shuffled, ${i}` : "real"}),
    size: range("size of the pieces", {values: data.sizes, start: 4, show: size => `${size} px`}),
    positions: toggle("with positions", {start: true}),
    picture: hidden({values: upTo(data.names.length), start: 6}),
  },
});
sayKeys(["← →", "order"], ["↑ ↓", "size"], ["space", "positions"], ["1–8", "picture"]);
