const softLabels = (logits, temperature) => softmax(logits.map(logit => logit / temperature));

function draw({temperature, picture: number, squared}) {
  const labels = softLabels(Array.from(data.logits.at(number).values), temperature);
  bars(byId("answer"), data.classes, labels, data.names[number]);
  picture(byId("shown"), data.pictures.at(number));
  byId("entropy").textContent = `${entropy(labels).toFixed(2)} of ${Math.log(labels.length).toFixed(2)}`;

  const withFactor = Array.from(data.gradients.at(number).values);
  const without = withFactor.map((size, i) => size / data.temperatures[i] ** 2);
  const size = (squared ? withFactor : without)[data.temperatures.indexOf(temperature)];
  byId("gradient").textContent = size < 0.01 ? size.toExponential(2) : size.toFixed(4);
  lineChart(byId("chart"), {
    label: "length of the gradient by temperature, with and without the factor T squared",
    x: {label: "temperature T", from: 0.25, to: 20, log: true, ticks: [0.25, 0.5, 1, 2, 5, 10, 20]},
    y: {label: "length of the gradient", from: 0.001, to: 10, log: true,
        ticks: [0.001, 0.01, 0.1, 1, 10]},
    at: temperature, height: 260,
    series: [{name: "times T²", x: data.temperatures, y: withFactor, colour: squared ? "loss" : "quiet",
              dashed: !squared},
             {name: "without", x: data.temperatures, y: without, colour: squared ? "quiet" : "loss",
              dashed: squared}],
  });
}

demo({
  draw,
  knobs: {
    temperature: range("temperature T", {values: data.temperatures, start: 4}),
    picture: choice("picture", {start: 2, options: pictureOptions(data.pictures)}),
    squared: toggle("loss times T²", {start: true}),
  },
});
sayKeys(["← →", "temperature"], ["↑ ↓", "picture"], ["space", "factor T²"]);
