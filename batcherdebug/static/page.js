// The page of package batcherdebug: takes snapshots from the stream, keeps five minutes of them, and
// draws. All text goes in by textContent: names and errors may hold anything.
"use strict";

const keep = 300; // seconds of history
const least = 60; // seconds that a chart is wide enough for from the beginning
const patience = 5; // seconds without news, after which the page no longer claims to be live
const worst = ["silent", "full", "dropping", "failing", "stuck", "behind", "flaky", "flowing", "idle"];
const well = ["flowing", "idle"];
const old = ["reconnecting", "closed", "broken"]; // connections whose figures are
const $ = (id) => document.getElementById(id);

// ---- Numbers for people ----

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function count(n) {
  if (n < 1e6) return plain.format(n);
  if (n >= 1e15) return "∞";
  const [unit, size] = n < 999.95e6 ? ["M", 1e6] : ["G", 1e9], x = n / size;
  return (x < 9999.5 ? x.toPrecision(4) : plain.format(x)) + " " + unit;
}

// mean has three figures, and never an exponent.
function mean(n) {
  return n < 99.95 ? String(Number(n.toPrecision(3))) : count(Math.round(n));
}

// short is a power of two for the axis: 1024 is 1k.
function short(n) {
  const step = Math.min(3, Math.floor(Math.log2(n) / 10));
  return n / 1024 ** step + ["", "k", "M", "G"][step];
}

function rate(n) {
  if (n === null) return "–";
  if (n < 9999.5) return n >= 10 || n === 0 ? n.toFixed(0) : n.toFixed(1);
  for (const [unit, size] of [["k", 1e3], ["M", 1e6]]) {
    if (n < 999.5 * size) return (n / size).toPrecision(3) + " " + unit;
  }
  return (n / 1e9).toPrecision(3) + " G";
}

function time(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds === 0) return "0";
  for (const [unit, size] of [["h", 3600], ["min", 60], ["s", 1], ["ms", 1e-3], ["µs", 1e-6]]) {
    if (seconds >= size) {
      const n = seconds / size;
      return (n >= 100 ? n.toFixed(0) : n.toPrecision(3)) + " " + unit;
    }
  }
  return Math.round(seconds * 1e9) + " ns";
}

// moment is when something was, with the day unless it is today.
function moment(text) {
  const then = new Date(text), today = then.toDateString() === new Date().toDateString();
  return today ? then.toLocaleTimeString() : then.toLocaleString();
}

// ---- Small helpers for elements ----

function element(name, className, text) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

// setText leaves the element alone if nothing has changed, so that a selection of its text survives.
function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// pairs keeps a <dl> of named values up to date.
function pairs(dl, values) {
  for (const [i, [name, value, className]] of values.entries()) {
    let div = dl.children[i];
    if (!div) {
      div = dl.appendChild(element("div"));
      div.append(element("dt"), element("dd"));
    }
    div.className = className || "";
    setText(div.firstChild, name);
    setText(div.lastChild, value);
  }
  while (dl.children.length > values.length) dl.lastChild.remove();
}

// ---- Charts ----

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

// ---- A card ----

class Card {
  constructor(id) {
    this.root = $("card").content.firstElementChild.cloneNode(true);
    this.root.id = "card-" + id;
    const find = (selector) => this.root.querySelector(selector);
    this.find = find;
    this.items = lineChart("items a second", [{ className: "in", label: "in" }, { className: "out", label: "out" }]);
    this.held = lineChart("held", [{ className: "area" }, { className: "held", label: "items" }, { className: "bound" }]);
    this.flush = lineChart("a flush", [{ className: "out", label: "p50" }, { className: "in", label: "p99" }]);
    this.sizes = histogram("sizes of recent batches");
    this.reasons = shares("why batches were sealed");
    find(".charts").append(...[this.items, this.held, this.sizes, this.reasons, this.flush].map((c) => c.figure));
    this.history = [];
  }

  // take adds a snapshot of this batcher, made at a time in seconds, and draws. The title tells the batcher
  // from the others.
  take(at, b, title) {
    const last = this.history.at(-1), gap = { at, gap: true, in: null, out: null, merged: null };
    if (b.state === "silent") this.history.push(gap); // its figures are of before
    else {
      if (last && at - last.at > 5) this.history.push(gap); // a pause
      this.note(b.stats.age_seconds, b);
    }
    this.history = this.history.filter((p) => at - p.at <= keep);
    this.show(b, title);
  }

  // note adds a point to the history, unless it is the one before.
  note(at, b) {
    const previous = this.history.at(-1), s = b.stats;
    const span = previous && !previous.gap ? at - previous.at : 0;
    if (previous && !previous.gap && span <= 0.2) return;
    const per = (name) => (span ? Math.max(0, s[name] - previous.stats[name]) / span : null);
    const flushed = span && s.attempts > previous.stats.attempts; // else the last durations are old
    this.history.push({
      at, stats: s, in: per("added"), out: per("flushed"), merged: per("merged"), held: s.pending,
      p50: flushed ? b.recent.flush_p50_seconds : null, p99: flushed ? b.recent.flush_p99_seconds : null,
    });
  }

  show(b, title) {
    this.root.dataset.state = b.state;
    this.root.setAttribute("aria-label", title);
    setText(this.find("h2"), title);
    this.find("h2").title = title;
    setText(this.find(".front-end"), b.front_end);
    setText(this.find(".state"), b.state);
    this.find(".state").dataset.state = b.state;
    setText(this.find(".verdict"), b.verdict);
    this.showFigures(b);
    this.draw(b);
    this.showErrors(b.errors, title);
    this.showConfig(b.config, title);
  }

  showFigures(b) {
    const s = b.stats, c = b.config, now = this.history.at(-1), known = s.age_seconds > 0;
    const of = (n, most) => (known ? count(n) : "–") + (most ? ` of ${count(most)}` : "");
    const combines = b.front_end === "Combiner"; // it counts entries, and apart from them the values merged into these
    pairs(this.find(".figures"), [
      ["in, a second", rate(now.in)], ["out, a second", rate(now.out)],
      ...(combines ? [["merged, a second", rate(now.merged)], ["entries held", of(s.pending, c.max_held)]]
        : [["held", of(s.pending)], ["of at most", count(c.max_held)]]),
      ["queue", of(s.queue_depth, c.queue_depth)],
      ["at work", of(s.running, c.workers)], ["producers wait", of(s.waiting)],
      ["oldest item", known ? time(s.oldest_age_seconds) : "–"],
      ["flush p50", b.recent.attempts ? time(b.recent.flush_p50_seconds) : "–"],
      ["flush p99", b.recent.attempts ? time(b.recent.flush_p99_seconds) : "–"],
    ]);
    pairs(this.find(".totals"), [
      ["added", count(s.added)], ["flushed", count(s.flushed)], ["failed", count(s.failed), s.failed && "bad"],
      ["dropped", count(s.dropped), s.dropped && "bad"], ["handed back", count(s.returned), s.returned && "bad"],
      ["folded", count(s.folded)], ["merged", count(s.merged)], ["retries", count(s.retries)],
      ["failed attempts", count(s.failed_attempts), s.failed_attempts && "bad"],
    ]);
  }

  draw(b) {
    const list = (name) => this.history.map((p) => (p.gap || p[name] === undefined ? null : p[name]));
    const most = (...lists) => Math.max(0, ...lists.flat());
    const [ins, outs, held, p50, p99] = ["in", "out", "held", "p50", "p99"].map(list);
    const times = this.history.map((p) => p.at);
    this.items.draw(times, [ins, outs], most(ins, outs) * 1.05, rate);
    const top = Math.max(most(held) * 1.3, 1), bound = b.config.max_held;
    this.held.draw(times, [held, held, bound <= top ? held.map(() => bound) : []], Math.min(top, bound * 1.05), count);
    this.flush.draw(times, [p50, p99], most(p50, p99) * 1.05, time);
    this.sizes.draw(b.recent);
    this.reasons.draw(Object.entries(b.stats.batches));
    if (!this.find(".tables").hidden) this.showTables(b);
  }

  // showTables is the alternative to the charts.
  showTables(b) {
    const points = this.history.filter((p) => !p.gap).slice(-10).reverse(), newest = this.history.at(-1).at;
    const tables = this.find(".tables");
    [
      ["the last ten snapshots", ["when", "in/s", "out/s", "held", "p50", "p99"], points.map((p) => [
        Math.round(newest - p.at) + " s ago", rate(p.in), rate(p.out), count(p.held), time(p.p50), time(p.p99)])],
      ["sizes of recent batches", ["items", "batches"],
        b.recent.sizes.map((s) => [s.from === s.to ? String(s.from) : `${s.from}–${s.to}`, String(s.count)])],
      ["why batches were sealed", ["reason", "batches"], Object.entries(b.stats.batches).map(([name, n]) => [name, count(n)])],
    ].forEach(([title, heads, rows], i) => fill(tables.children[i] || tables.appendChild(table(title, heads)), rows));
  }

  showErrors(errors, title) {
    setSummary(this.find(".errors summary"), errors.length ? `Errors (${errors.length})` : "Errors (none)", title);
    const list = this.find(".errors ol");
    while (list.children.length > errors.length) list.lastChild.remove();
    errors.forEach((e, i) => {
      let li = list.children[i];
      if (!li) {
        li = list.appendChild(element("li"));
        li.append(element("div", "what"), element("div", "text"));
        li.lastChild.tabIndex = 0; // it may be longer than its place, and is scrolled then
      }
      const times = e.times > 1 ? `, ${count(e.times)} times` : "";
      const what = `${moment(e.time)} · ${e.class}${times} · attempt ${e.attempt} at ${count(e.items)} ${e.items === 1 ? "item" : "items"}`;
      setText(li.firstChild, what);
      setText(li.lastChild, e.text);
    });
  }

  showConfig(c, title) {
    setSummary(this.find(".config summary"), "Configuration", title);
    const no = (n, text) => (n ? text : "none");
    pairsFlat(this.find(".config dl"), [
      ["MaxSize", count(c.max_size)], ["MaxDelay", c.eager ? "none: eager" : time(c.max_delay_seconds)],
      ["MaxWeight", no(c.max_weight, count(c.max_weight))], ["Workers", count(c.workers)],
      ["QueueDepth", no(c.queue_depth, count(c.queue_depth))], ["held at most", count(c.max_held) + " items"],
      ["MaxPendingPerKey", no(c.max_pending_per_key, count(c.max_pending_per_key))], ["Overflow", c.overflow],
      ["FlushTimeout", no(c.flush_timeout_seconds, time(c.flush_timeout_seconds))],
      ["attempts", c.fold_back ? "folded back" : count(c.max_attempts)], ["Bisect", c.bisect ? "yes" : "no"],
      ["dead letter handler", c.dead_letter ? "yes" : "no"], ["Lanes", no(c.lanes > 1, count(c.lanes))],
      ["Shards", no(c.shards, count(c.shards))],
    ]);
  }

  showNumbers(on) {
    this.find(".charts").hidden = on;
    this.find(".tables").hidden = !on;
  }
}

// setSummary names what is folded, to the ear with the batcher that it belongs to.
function setSummary(e, text, title) {
  setText(e, text);
  if (e.ariaLabel !== `${text}, ${title}`) e.ariaLabel = `${text}, ${title}`;
}

// pairsFlat is a <dl> in two columns, always of the same names.
function pairsFlat(dl, values) {
  for (const [i, [name, value]] of values.entries()) {
    if (!dl.children[2 * i]) dl.append(element("dt", "", name), element("dd"));
    setText(dl.children[2 * i + 1], value);
  }
}

// table is without rows yet; its first column are names.
function table(title, heads) {
  const t = element("table");
  t.append(element("caption", "", title));
  const head = t.createTHead().insertRow();
  for (const h of heads) {
    const th = head.appendChild(element("th", "", h));
    th.scope = "col";
  }
  t.createTBody();
  return t;
}

// fill keeps the rows of a table up to date, in place: whoever reads it with a cursor stays where they are.
function fill(t, rows) {
  const body = t.tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((row, i) => {
    const tr = body.rows[i] || body.insertRow();
    row.forEach((text, j) => {
      let cell = tr.cells[j];
      if (!cell) {
        cell = tr.appendChild(element(j ? "td" : "th"));
        if (!j) cell.scope = "row";
      }
      setText(cell, text);
    });
  });
}

// ---- All cards ----

const cards = [];
let latest = null;

function take(text) {
  const snapshot = JSON.parse(text);
  if (!latest || latest.since !== snapshot.since) renew(snapshot); // it may be another program by now
  latest = snapshot;
  $("empty").hidden = snapshot.batchers.length > 0;
  const names = snapshot.batchers.map((b) => b.name || "(no name)");
  snapshot.batchers.forEach((b, i) => {
    const alone = names.indexOf(names[i]) === names.lastIndexOf(names[i]);
    cards[i].take(snapshot.age_seconds, b, alone ? names[i] : `${names[i]} · ${i + 1}`);
  });
  summarize(snapshot.batchers);
}

// renew makes a card for each batcher.
function renew(snapshot) {
  cards.length = 0;
  for (let i = 0; i < snapshot.batchers.length; i++) {
    const card = new Card(i);
    card.showNumbers($("numbers").getAttribute("aria-pressed") === "true");
    cards.push(card);
  }
  $("cards").replaceChildren(...cards.map((c) => c.root));
}

// summarize tells how many batchers are in which state, the worst first, with a link to the first of them.
function summarize(batchers) {
  const bad = [];
  for (const link of links) {
    const those = batchers.filter((b) => b.state === link.dataset.state), text = `${those.length} ${link.dataset.state}`;
    link.hidden = those.length === 0;
    if (!those.length) continue;
    link.setAttribute("href", `#card-${those[0].id}`);
    setText(link, text);
    if (!well.includes(link.dataset.state)) bad.push(text);
  }
  setText($("alarm"), bad.join(", ")); // read aloud when it changes
  entitle(bad);
}

// links are those of all states: each keeps its place, and the focus if it has it.
const links = worst.map((name) => {
  const link = $("summary").appendChild(element("a", "state"));
  link.dataset.state = name;
  link.hidden = true;
  return link;
});

let trouble = [];

// entitle says what is bad to those who look at another tab.
function entitle(bad) {
  trouble = bad;
  const connection = $("connection").dataset.state;
  const title = (old.includes(connection) ? [connection] : []).concat(bad, "Batchers").join(" · ");
  if (document.title !== title) document.title = title;
}

// ---- The stream ----

let source = null, poll = 0, paused = false;
let heard = performance.now(); // when there were news, or the stream was opened
let spoke = false; // the stream has brought something
let over = false, lost = false; // the program has said that it ends; it did not answer
let asked = 0, most = 8; // how often stats.json was asked for, and how often it is before the stream is tried again

function state(name, text) {
  const e = $("connection");
  if (e.dataset.state === name) return; // it is read aloud when it changes
  e.dataset.state = document.body.dataset.connection = name;
  e.textContent = text;
  entitle(trouble);
}

// hear shows what has come. What cannot be shown is not called live: the program may be another one by now, or
// there is somebody in between who wants a password.
function hear(text, name, words) {
  heard = performance.now();
  try {
    take(text);
  } catch (error) {
    state("broken", "cannot be shown: reload this page");
    return;
  }
  state(name, words);
}

function listen() {
  stop();
  heard = performance.now();
  spoke = false;
  source = new EventSource("events");
  source.onmessage = (message) => {
    spoke = true;
    over = lost = false;
    most = 8;
    hear(message.data, "live", "live");
  };
  source.addEventListener("again", listen); // a stream lasts some minutes
  source.addEventListener("closed", () => {
    stop();
    over = true;
    down();
    poll = setInterval(ask, 2000); // it may be back soon
  });
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) down();
    else askInstead(); // refused: too many streams, or something in between that does not let them through
  };
}

function askInstead() {
  stop();
  asked = 0;
  poll = setInterval(ask, 2000);
  ask();
}

// ask takes a single snapshot, and tries the stream again now and then.
async function ask() {
  if (++asked > most && !over) {
    most = Math.min(2 * most, 256);
    listen();
    return;
  }
  try {
    const response = await fetch("stats.json", { cache: "no-store", signal: AbortSignal.timeout(1000 * patience) });
    if (!response.ok) throw new Error(response.statusText);
    const text = await response.text();
    if (!poll) return;
    if (over || lost) { // the program is back
      over = lost = false;
      listen();
    } else hear(text, "polling", "live, every 2 s");
  } catch {
    if (poll) down();
  }
}

// down says that there is nobody to hear from, and whether that was to be expected.
function down() {
  lost = true;
  if (over) state("closed", "closed by the program");
  else state("reconnecting", "reconnecting");
}

function stop() {
  if (source) source.close();
  clearInterval(poll);
  source = null;
  poll = 0;
}

// A connection may be dead, or the server stuck, without an error: figures that are old are not live. Of a stream
// that has brought nothing at all, somebody in between may keep the events.
setInterval(() => {
  if (!source || performance.now() - heard < 1000 * patience) return;
  if (spoke) {
    state("reconnecting", "no news: reconnecting");
    listen();
  } else askInstead();
}, 1000);

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  if (paused) {
    stop();
    state("paused", "paused");
  } else {
    state("connecting", "connecting");
    listen();
  }
});

$("numbers").addEventListener("click", () => {
  const on = $("numbers").getAttribute("aria-pressed") !== "true";
  $("numbers").setAttribute("aria-pressed", String(on));
  cards.forEach((card, i) => {
    card.showNumbers(on);
    if (on && latest) card.showTables(latest.batchers[i]);
  });
});

listen();
