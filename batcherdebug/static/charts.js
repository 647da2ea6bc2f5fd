// Charts: each has a figure, and a draw.
"use strict";

const least = 60; // seconds that a chart is wide enough for from the beginning
const width = 300, height = 72;

// lineChart has a caption with a key and the greatest value, and a path for each series.
function lineChart(title, series) {
  const figure = element("figure"), caption = element("figcaption");
  caption.append(element("span", "", title));
  for (const s of series) if (s.label) caption.append(element("span", "key " + s.className, s.label));
  const most = caption.appendChild(element("span", "most"));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const paths = series.map((s) => {
    const path = svg.appendChild(document.createElementNS(svg.namespaceURI, "path"));
    path.setAttribute("class", s.className);
    return path;
  });
  figure.append(caption, svg);
  return {
    figure,
    // draw takes the times of the points, a list of values for each series, null for none, and the value
    // at the upper edge.
    draw(times, lists, top, write) {
      const span = Math.max(least, times.at(-1) - times[0]);
      setText(most, (top > 0 ? `↑ ${write(top)} · ` : "") + `${(span / 60).toPrecision(2).replace(/\.0$/, "")} min`);
      lists.forEach((list, i) => {
        const area = series[i].className.includes("area");
        paths[i].setAttribute("d", outline(times, list, span, top || 1, area));
      });
      const now = lists.map((l) => l.at(-1)).filter((_, i) => series[i].label);
      svg.setAttribute("aria-label", `${title}: now ` + series.filter((s) => s.label)
        .map((s, i) => `${s.label} ${now[i] == null ? "unknown" : write(now[i])}`).join(", "));
    },
  };
}

// outline is the path of the values at their times, the newest at the right edge; gaps stay gaps.
function outline(times, list, span, top, closed) {
  const x = (i) => (width - (width * (times.at(-1) - times[i])) / span).toFixed(1);
  const y = (i) => (height - 1 - Math.min(1, list[i] / top) * (height - 3)).toFixed(1);
  let path = "";
  for (let i = 0; i < list.length; i++) {
    if (list[i] === null) continue;
    const begin = x(i);
    path += `M${begin} ${y(i)}h0`; // a value without neighbours is a dot
    while (i + 1 < list.length && list[i + 1] !== null) {
      i++;
      path += `L${x(i)} ${y(i)}`;
    }
    if (closed) path += `L${x(i)} ${height}L${begin} ${height}Z`;
  }
  return path;
}

// histogram is the sizes of the recent batches.
function histogram(title) {
  const figure = element("figure"), caption = element("figcaption");
  const note = element("span", "most");
  caption.append(element("span", "", title), note);
  const bars = element("div", "bars"), axis = element("div", "axis");
  bars.setAttribute("role", "img");
  axis.setAttribute("aria-hidden", "true");
  figure.append(caption, bars, axis);
  return {
    figure,
    draw(recent) {
      const most = Math.max(1, ...recent.sizes.map((b) => b.count));
      resize(bars, recent.sizes.length);
      resize(axis, recent.sizes.length);
      recent.sizes.forEach((b, i) => {
        bars.children[i].style.height = (100 * b.count / most).toFixed(1) + "%";
        setText(axis.children[i], short(b.from));
      });
      axis.classList.toggle("tight", recent.sizes.length > 8);
      setText(note, recent.batches ? `mean ${mean(recent.mean_size)}` : "none yet");
      bars.setAttribute("aria-label", `${title}: ` + (recent.sizes.filter((b) => b.count)
        .map((b) => `${b.from} to ${b.to}: ${b.count}`).join(", ") || "none yet"));
    },
  };
}

function resize(parent, n) {
  while (parent.children.length < n) parent.append(element("span"));
  while (parent.children.length > n) parent.lastChild.remove();
}

// shares is why batches were sealed, as parts of all.
function shares(title) {
  const figure = element("figure"), caption = element("figcaption");
  caption.append(element("span", "", title));
  const list = element("div", "share");
  list.setAttribute("role", "img");
  figure.append(caption, list);
  return {
    figure,
    draw(values) {
      const all = values.reduce((sum, [, n]) => sum + n, 0);
      values = values.filter(([, n]) => n > 0);
      const rows = values.length;
      while (list.children.length < 3 * rows) {
        const track = element("span", "track");
        track.append(element("span"));
        list.append(element("span"), track, element("span", "much"));
      }
      while (list.children.length > 3 * rows) list.lastChild.remove();
      values.forEach(([name, n], i) => {
        const part = 100 * n / all;
        setText(list.children[3 * i], name);
        list.children[3 * i + 1].firstChild.style.width = part.toFixed(1) + "%";
        setText(list.children[3 * i + 2], part < 1 ? "< 1 %" : part.toFixed(0) + " %");
      });
      list.setAttribute("aria-label", `${title}: ` + (values.map(([name, n]) => `${name} ${count(n)}`).join(", ") || "none yet"));
    },
  };
}
