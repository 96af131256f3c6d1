"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const slider = byId("beta");
  const quantity = byId("quantity");
  const model = byId("model");

  const short = (x) => String(Number(x.toPrecision(3)));
  const words = (x) => {
    if (x === undefined || x === null) return "–";
    return Number.isInteger(x) || Math.abs(x) >= 1e4 ? String(Math.round(x)) : x.toPrecision(4);
  };
  // Betas are told apart by their logarithms.
  const nearest = (betas, beta) => {
    let best = -1;
    betas.forEach((one, at) => {
      if (best < 0 || Math.abs(Math.log(one / beta)) < Math.abs(Math.log(betas[best] / beta))) best = at;
    });
    return best;
  };
  const valueOf = (series, name, at) => (series.values[name] ? series.values[name][at] : null);
  const isError = (value, low, high) => Math.abs(high - value - (value - low)) <= 1e-4 * Math.abs(high - low) + 1e-5 * Math.abs(value);
  const withSpread = (series, name, at) => {
    const value = valueOf(series, name, at);
    const low = series.low[name] ? series.low[name][at] : null;
    const high = series.high[name] ? series.high[name][at] : null;
    if (value === null || low === null || high === null) return words(value);
    if (isError(value, low, high)) return `${words(value)} ± ${((high - low) / 2).toPrecision(2)}`;
    return `${words(value)} [${low.toPrecision(3)}, ${high.toPrecision(3)}]`;
  };

  // Which model the map and the pictures are of.
  const choices = data.series.map((one, at) => at).filter((at) => data.series[at].map || data.series[at].groups || data.series[at].frames.length);
  for (const at of choices) model.add(new Option(data.series[at].name, String(at)));
  const first = choices.find((at) => data.series[at].frames.length) ?? choices[0];
  if (first !== undefined) model.value = String(first);
  byId("model-choice").hidden = choices.length < 2;

  const showNumbers = (beta) => {
    for (const row of byId("now").tBodies[0].rows) {
      data.series.forEach((series, column) => {
        const at = nearest(series.beta, beta);
        const name = row.dataset.name;
        row.cells[column + 1].textContent = name === "beta" ? short(series.beta[at]) : withSpread(series, name, at);
      });
    }
    for (const place of document.querySelectorAll(".at-beta")) place.textContent = `beta ${short(beta)}`;
  };

  const showStatus = (beta) => {
    const series = data.series[0];
    const at = nearest(series.beta, beta);
    const shown = new Set(["rate", "distortion", data.first, quantity.value]);
    const parts = data.quantities
      .filter((one) => shown.has(one.name) && valueOf(series, one.name, at) !== null)
      .map((one) => `${one.title} ${words(valueOf(series, one.name, at))}${one.unit ? ` ${one.unit}` : ""}`);
    byId("status").textContent = `${series.name} at beta ${short(series.beta[at])}: ${parts.join(", ")}`;
  };

  const showCurves = (beta) => {
    const marks = data.series.map((_, at) => data.series.length + at);
    const at = data.series.map((series) => nearest(series.beta, beta));
    const points = (name) => data.series.map((series, i) => [valueOf(series, name, at[i])]);
    Plotly.restyle("plane", { x: points("rate"), y: points("distortion") }, marks);
    Plotly.update("curve",
      { x: data.series.map((series, i) => [series.beta[at[i]]]), y: points(quantity.value) },
      { "shapes[0].x0": beta, "shapes[0].x1": beta }, marks);
  };

  // Plotly reads tags in titles, so a title that looks like one must not be one.
  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const showQuantity = () => {
    const one = data.quantities.find((entry) => entry.name === quantity.value);
    const lines = data.series.map((_, at) => at);
    const none = (series) => series.beta.map(() => null);
    byId("curve").setAttribute("aria-label", `${one.title} over beta, a curve for each model; the numbers stand in the tables below`);
    document.querySelector("label[for=quantity]").dataset.shown = one.title;
    Plotly.update("curve", { y: data.series.map((series) => series.values[one.name] ?? none(series)) },
      { "yaxis.title.text": escaped(one.unit ? `${one.title} (${one.unit})` : one.title) }, lines);
  };

  // One by one: of many factors and betas there are more shares than a call takes arguments.
  const scaleOf = (map) => map.shares.flat(2).reduce((most, x) => Math.max(most, x ?? 0), 1e-9);
  const cell = (tag, text, scope) => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (scope) element.scope = scope;
    return element;
  };
  const showMap = (beta) => {
    const series = data.series[Number(model.value)];
    const map = series && series.map;
    byId("map").hidden = !map;
    if (!map) {
      byId("map-note").textContent = "There is no such map: the factors of these data, or what codes know of them, are not in the file.";
      return;
    }
    const at = nearest(series.beta, beta);
    const top = scaleOf(map);
    byId("map-note").textContent = `${series.name} at beta ${short(series.beta[at])}: mutual information as a share of the factor's entropy; the darkest blue is ${top.toPrecision(2)}. ${map.group ? `Codes of ${map.group}, named by map, row and column, by their rate.` : "Codes by their rate."}`;
    const table = byId("map");
    const head = document.createElement("tr");
    head.append(cell("th", "", ""), ...map.factors.map((factor) => cell("th", factor, "col")));
    const rows = map.codes.map((code, place) => {
      const row = document.createElement("tr");
      row.append(cell("th", code, "row"), ...map.shares[at][place].map((share) => {
        const made = cell("td", share === null ? "–" : share.toFixed(2));
        const depth = share === null ? 0 : Math.max(0, share) / top;
        // From white to the theme's blue, on which letters are white.
        const mix = [1, 115, 178].map((full) => Math.round(255 + (full - 255) * depth));
        made.style.background = `rgb(${mix.join()})`;
        made.style.color = depth > 0.88 ? "#fff" : "#1b1b1b";
        return made;
      }));
      return row;
    });
    const body = document.createElement("tbody");
    body.append(...rows);
    const top_ = document.createElement("thead");
    top_.append(head);
    table.replaceChildren(top_, body);
  };

  const groups = byId("groups");
  let stacked = null;
  const showGroups = (beta) => {
    if (!groups) return;
    const series = data.series[Number(model.value)];
    byId("groups-block").hidden = !(series && series.groups);
    if (!series || !series.groups) return;
    const { layout } = data.figures.groups;
    Object.assign(layout.shapes[0], { x0: beta, x1: beta });
    if (stacked === series) Plotly.relayout(groups, { "shapes[0].x0": beta, "shapes[0].x1": beta });
    else Plotly.react(groups, series.groups.traces, layout, plain);
    stacked = series;
    const at = nearest(series.beta, beta);
    const rates = series.groups.traces.map((trace) => trace.y[series.beta.length > 1 ? at : 0]);
    const most = rates.indexOf(Math.max(...rates));
    byId("groups-note").textContent = `${series.name} at beta ${short(series.beta[at])}: ${words(valueOf(series, "rate", at))} nats in all, the most of one group, ${words(rates[most])} nats, in ${series.groups.names[most]}. Areas lie on one another, the top group lowest.`;
  };

  const draw = (id, address, alt) => {
    const image = byId(id);
    if (image.getAttribute("src") !== address) image.src = address;
    image.alt = alt;
  };
  const frameAt = (series, beta) => series.frames[nearest(series.frames.map((frame) => frame.beta), beta)];
  const showBeside = (shown, frame, beta) => {
    const beside = data.series.find((one) => one.kind === "baselines" && one.frames.length && one !== shown);
    for (const element of document.querySelectorAll(".beside")) element.hidden = !beside;
    if (!beside) return;
    const other = frameAt(beside, beta);
    const label = `baseline, beta ${short(other.beta)}`;
    const isSame = other.original === frame.original;
    byId("beside-originals").hidden = byId("beside-originals-label").hidden = isSame;
    draw("beside-originals", data.originals[other.original], `Examples ${other.examples.join(", ")} of the data`);
    draw("beside-reconstructions", other.reconstructions, `The examples reconstructed by the ${label}`);
    draw("beside-samples", other.samples, `Samples of the ${label}`);
    byId("beside-reconstructions-label").textContent = byId("beside-samples-label").textContent = label;
  };
  const showPictures = (beta) => {
    const blocks = byId("picture-blocks");
    const series = data.series[Number(model.value)];
    if (!blocks || !series) return;
    blocks.hidden = !series.frames.length;
    byId("no-pictures").hidden = Boolean(series.frames.length);
    if (!series.frames.length) return;
    const frame = frameAt(series, beta);
    const where = `beta ${short(frame.beta)}`;
    draw("originals", data.originals[frame.original], `Examples ${frame.examples.join(", ")} of the data`);
    draw("reconstructions", frame.reconstructions, `The examples reconstructed by ${series.name} at ${where}`);
    draw("samples", frame.samples, `Samples of ${series.name} at ${where}`);
    draw("traversals", frame.traversals, `Traversals of ${series.name} at ${where}: ${frame.codes.length} codes, one a row, each moved over ${frame.values.length} values`);
    byId("reconstructions-label").textContent = byId("samples-label").textContent = where;
    byId("traversals-note").textContent = `Example ${frame.traversed} at ${where}: one code moves along each row, from ${short(frame.values[0])} to ${short(frame.values[frame.values.length - 1])} standard deviations of the prior, and the others stay${frame.group ? ": the groups below keep their whitened codes. They are codes" : ". Codes"}${frame.group ? ` of ${frame.group}, named by map, row and column,` : ""} by their rate.`;
    byId("values").replaceChildren(...frame.values.map((value) => cell("span", short(value))));
    byId("codes").replaceChildren(...frame.codes.map((code) => cell("span", window.innerWidth < 600 ? code.replace(/^\w+ /, "") : code)));
    showBeside(series, frame, beta);
  };

  let waiting = 0;
  let speaking = 0;
  const show = () => {
    waiting = 0;
    const beta = data.betas[Number(slider.value)];
    byId("beta-value").textContent = short(beta);
    slider.setAttribute("aria-valuetext", `beta ${short(beta)}`);
    showNumbers(beta);
    showCurves(beta);
    showGroups(beta);
    showMap(beta);
    showPictures(beta);
    // A screen reader is told once the slider rests.
    clearTimeout(speaking);
    speaking = setTimeout(() => showStatus(beta), 250);
  };
  const soon = () => { waiting ||= requestAnimationFrame(show); };

  const plain = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false };
  const { plane, curve } = data.figures;
  Plotly.newPlot("plane", plane.data, plane.layout, plain);
  Plotly.newPlot("curve", curve.data, curve.layout, plain);
  const plots = ["plane", "curve"];
  if (groups) {
    Plotly.newPlot(groups, [], data.figures.groups.layout, plain);
    plots.push("groups");
  }
  for (const id of plots) {
    byId(id).on("plotly_click", (event) => {
      slider.value = String(nearest(data.betas, event.points[0].customdata));
      soon();
    });
  }
  showQuantity();
  show();
  showStatus(data.betas[Number(slider.value)]);
  slider.addEventListener("input", soon);
  model.addEventListener("change", soon);
  quantity.addEventListener("change", () => { showQuantity(); soon(); });
  // Paper is narrower than the screen.
  const fit = (width) => plots.forEach((id) => Plotly.relayout(id, { width }));
  addEventListener("beforeprint", () => fit(330));
  addEventListener("afterprint", () => fit(null));
  document.documentElement.dataset.ready = "yes";
})();
