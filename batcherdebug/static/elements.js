// Elements that are kept up to date in place, so that a selection, a cursor and the focus survive. All text goes in
// by textContent: names and errors may hold anything.
"use strict";

const $ = (id) => document.getElementById(id);

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
