// A card shows a batcher, and keeps five minutes of its history.
"use strict";

const keep = 300; // seconds of history

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
    const total = (text, n, bad) => [text, of(n), bad && n ? "bad" : ""];
    pairs(this.find(".totals"), [
      total("added", s.added), total("flushed", s.flushed), total("failed", s.failed, true),
      total("dropped", s.dropped, true), total("handed back", s.returned, true), total("folded", s.folded),
      total("merged", s.merged), total("retries", s.retries), total("failed attempts", s.failed_attempts, true),
    ]);
  }

  draw(b) {
    const list = (name) => this.history.map((p) => (p.gap ? null : p[name]));
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
