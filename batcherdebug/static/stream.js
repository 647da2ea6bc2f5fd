// Where snapshots come from: the stream, or else stats.json, and what the page says of that.
"use strict";

const patience = 5; // seconds without news, after which the page no longer claims to be live

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
  lost = false; // of the stream nothing more is expected, for now
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
    const response = await fetch("stats.json",
      { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(1000 * patience) });
    const refused = response.type === "opaqueredirect" || (response.status >= 400 && response.status < 500);
    if (!response.ok && !refused) throw new Error(response.statusText);
    const text = await response.text();
    if (!poll) return;
    if (refused) state("broken", "refused: reload this page"); // a session may have ended
    else if (over || lost) { // the program is back
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
