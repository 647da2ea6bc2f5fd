// Numbers for people.
"use strict";

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
