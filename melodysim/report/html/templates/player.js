"use strict";
// Sound and cursors of a report. Everything is in the page: nothing is fetched.
(() => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const strip = document.querySelector("svg.strip");
  let context = null, playing = null, wanted = 0;
  const buffers = new Map();

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;

  function ready() {
    context = context || new (window.AudioContext || window.webkitAudioContext)();
    return context.resume();
  }

  async function stretchOf(begin) {
    const k = page.stretches.findIndex((s) => s.begin - 0.01 <= begin && begin < s.end);
    if (k < 0) return null;
    if (!buffers.has(k)) buffers.set(k, await context.decodeAudioData(bytes(page.stretches[k].mp3)));
    return { buffer: buffers.get(k), begin: page.stretches[k].begin };
  }

  // An electric piano: a bright attack that falls into a few soft harmonics.
  function tone(pitch, at, length, out) {
    const hertz = 440 * 2 ** ((pitch - 69) / 12), end = at + Math.max(length, 0.06);
    const level = context.createGain(), filter = context.createBiquadFilter();
    filter.type = "lowpass";
    filter.frequency.setValueAtTime(Math.min(hertz * 9, 14000), at);
    filter.frequency.exponentialRampToValueAtTime(Math.max(hertz * 2.2, 300), at + 0.6);
    level.gain.setValueAtTime(0, at);
    level.gain.linearRampToValueAtTime(0.32, at + 0.008);
    level.gain.exponentialRampToValueAtTime(0.17, at + 0.16);
    level.gain.exponentialRampToValueAtTime(0.05, Math.max(end, at + 0.2) + 1.2);
    const gate = context.createGain();
    gate.gain.setValueAtTime(1, at);
    gate.gain.setTargetAtTime(0, end, 0.045);
    const wave = context.createPeriodicWave(
      new Float32Array([0, 1, 0.42, 0.28, 0.14, 0.1, 0.05, 0.04]), new Float32Array(8));
    for (const [detune, share] of [[-2.5, 0.5], [2.5, 0.5]]) {
      const voice = context.createOscillator(), gain = context.createGain();
      voice.setPeriodicWave(wave);
      voice.frequency.value = hertz;
      voice.detune.value = detune;
      gain.gain.value = share;
      voice.connect(gain).connect(filter);
      voice.start(at);
      voice.stop(end + 0.4);
    }
    filter.connect(level).connect(gate).connect(out);
  }

  function bus(pan) {
    const gain = context.createGain();
    if (pan && context.createStereoPanner) {
      const panner = context.createStereoPanner();
      panner.pan.value = pan;
      gain.connect(panner).connect(context.destination);
    } else gain.connect(context.destination);
    return gain;
  }

  function stop() {
    if (!playing) return;
    cancelAnimationFrame(playing.frame);
    clearTimeout(playing.timer);
    for (const out of playing.outs) out.disconnect();
    for (const source of playing.sources) { try { source.stop(); } catch { /* had ended */ } }
    playing.button.setAttribute("aria-pressed", "false");
    (playing.root || document.body).classList.remove("playing");
    document.querySelectorAll(".now").forEach((e) => e.classList.remove("now"));
    if (strip) strip.classList.remove("playing");
    playing = null;
  }

  // Times of the track at which each note of the reference stands, and back.
  function between(x, from, to) {
    if (!from.length) return x;
    let k = 1;
    while (k < from.length - 1 && from[k] < x) k += 1;
    if (from.length < 2) return to[0] + (x - from[0]);
    const span = from[k] - from[k - 1] || 1e-6;
    return to[k - 1] + ((x - from[k - 1]) / span) * (to[k] - to[k - 1]);
  }

  async function play(button, root, match, mode) {
    const again = playing && playing.button === button;
    stop();
    const turn = ++wanted; // decoding takes a moment: whoever asked last is played
    if (again) return;
    await ready();
    const from = !match ? page.from || 0 : Math.max(0, match.begin - 0.3);
    const found = mode !== "reference" && page.stretches.length ? await stretchOf(from) : null;
    if (turn !== wanted) return;
    const own = mode === "reference" && match && root.querySelector("input.own").checked;
    const outs = [], sources = [], start = context.currentTime + 0.12;
    let begin, end;
    if (!match) [begin, end] = [from, page.duration];
    else if (own) {
      const last = match.reference[match.reference.length - 1];
      [begin, end] = [match.reference[0][0] - 0.2, last[0] + last[1] + 0.6];
    } else [begin, end] = [from, match.end + 0.6];
    if (mode === "track" || mode === "both") {
      const out = bus(mode === "both" ? -1 : 0);
      outs.push(out);
      if (found) {
        const source = context.createBufferSource();
        source.buffer = found.buffer;
        source.connect(out);
        source.start(start, begin - found.begin, end - begin);
        sources.push(source);
      } else {
        const notes = match ? match.track : page.melody;
        for (const [onset, length, pitch] of notes) {
          if (onset >= begin - 0.01 && onset < end) tone(pitch, start + onset - begin, length, out);
        }
      }
    }
    if (mode === "reference" || mode === "both") {
      const out = bus(mode === "both" ? 1 : 0);
      outs.push(out);
      for (const [onset, length, pitch, from, to] of match.reference) {
        const at = own ? onset : from, lasts = own ? length : to - from;
        tone(own ? pitch : pitch + match.transposition, start + at - begin, lasts, out);
      }
    }
    playing = { button, root, match, own, outs, sources, begin, start };
    button.setAttribute("aria-pressed", "true");
    (root || document.body).classList.add("playing");
    if (strip && !own) strip.classList.add("playing");
    playing.timer = setTimeout(stop, (end - begin + 0.15) * 1000);
    tick();
  }

  function line(element, x) {
    if (!element) return;
    element.setAttribute("x1", x.toFixed(1));
    element.setAttribute("x2", x.toFixed(1));
  }

  // What sounds now, in the roll and in the notation, and nothing else.
  function mark(root, sounding) {
    const now = new Set();
    for (const [side, k] of sounding) {
      const roll = root.querySelector(`g[id$="-${side}"]`);
      if (roll && roll.children[k]) now.add(roll.children[k]);
      root.querySelectorAll(`g.note[id*="-${side.toLowerCase()}${k}p"]`).forEach((e) => now.add(e));
    }
    root.querySelectorAll(".now").forEach((e) => { if (!now.has(e)) e.classList.remove("now"); });
    now.forEach((e) => e.classList.add("now"));
  }

  // A long roll is wider than the window: what sounds is kept in sight.
  function follow(root) {
    const hand = root.querySelector(".cursor.mine"), frame = hand && hand.closest(".scroll");
    if (!frame || frame.scrollWidth <= frame.clientWidth) return;
    const at = hand.getBoundingClientRect().left - frame.getBoundingClientRect().left;
    if (at < 0 || at > frame.clientWidth * 0.85) frame.scrollLeft += at - frame.clientWidth * 0.15;
  }

  function needle(root) {
    const paper = root.querySelector(".paper"), hand = paper && paper.querySelector(".needle");
    if (!hand) return;
    const note = paper.querySelector("g.note.now");
    if (!note) return;
    const system = note.closest("g.system") || paper;
    const frame = paper.getBoundingClientRect(), head = note.getBoundingClientRect(), all = system.getBoundingClientRect();
    hand.style.left = `${head.left - frame.left + paper.scrollLeft + head.width / 2 - 1}px`;
    hand.style.top = `${all.top - frame.top}px`;
    hand.style.height = `${all.height}px`;
  }

  function tick() {
    if (!playing) return;
    const { root, match, own, begin, start } = playing;
    const now = begin + Math.max(0, context.currentTime - start);
    let track = now;
    if (match) {
      const placed = match.reference.map((n) => n[3]), onsets = match.reference.map((n) => n[0]);
      const theirs = own ? now : between(now, placed, onsets);
      track = own ? between(now, onsets, placed) : now;
      line(root.querySelector(".cursor.mine"), x(track, match.trackSeconds, match.width));
      line(root.querySelector(".cursor.theirs"), x(theirs, match.referenceSeconds, match.width));
      const sounding = [];
      match.track.forEach(([onset, length], k) => { if (onset <= track && track < onset + length) sounding.push(["Q", k]); });
      match.reference.forEach(([onset, length], k) => { if (onset <= theirs && theirs < onset + length) sounding.push(["R", k]); });
      mark(root, sounding);
      follow(root);
      needle(root);
    }
    if (strip) line(strip.querySelector(".cursor"), (track / page.duration) * 1000);
    const clock = (root || document).querySelector(".time");
    if (clock) clock.textContent = `${Math.floor(Math.max(0, now) / 60)}:${String(Math.floor(Math.max(0, now) % 60)).padStart(2, "0")}`;
    playing.frame = requestAnimationFrame(tick);
  }

  const x = (time, [a, b], width) => 36 + Math.min(1, Math.max(0, (time - a) / (b - a))) * (width - 36);

  document.querySelectorAll("[data-match]").forEach((root) => {
    const match = page.matches[Number(root.dataset.match)];
    root.querySelectorAll("button[data-play]").forEach((button) => {
      button.addEventListener("click", () => play(button, root, match, button.dataset.play));
    });
  });
  const whole = document.querySelector("button[data-whole]");
  if (whole) whole.addEventListener("click", () => { page.from = 0; play(whole, null, null, "track"); });
  if (strip && whole && !whole.disabled) {
    strip.addEventListener("click", (event) => {
      if (event.target.closest("a")) return;
      const box = strip.getBoundingClientRect();
      stop();
      page.from = Math.max(0, ((event.clientX - box.left) / box.width) * page.duration);
      play(whole, null, null, "track");
    });
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") { wanted += 1; stop(); } });
  // A match may be closed: a link to it opens it, and on paper all are open.
  const open = (id) => { const e = id && document.getElementById(id); if (e && e.tagName === "DETAILS") e.open = true; };
  addEventListener("hashchange", () => open(location.hash.slice(1)));
  open(location.hash.slice(1));
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((e) => { e.dataset.was = e.open; e.open = true; }));
  addEventListener("afterprint", () => document.querySelectorAll("details").forEach((e) => { e.open = e.dataset.was === "true"; }));
})();
