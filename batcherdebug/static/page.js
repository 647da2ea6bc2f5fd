// All cards, and what is said of them at the top.
"use strict";

const worst = ["silent", "full", "dropping", "failing", "stuck", "behind", "flaky", "flowing", "idle"];
const well = ["flowing", "idle"];
const old = ["reconnecting", "closed", "broken"]; // connections whose figures are
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
