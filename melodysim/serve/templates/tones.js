"use strict";
// Plays and draws a melody that the server gives: {onset, duration, pitch} in seconds and MIDI numbers.
window.tones = (() => {
  let context = null, stopping = null;

  function stop() {
    if (stopping) stopping();
    stopping = null;
  }

  async function play(notes, button) {
    const again = button.getAttribute("aria-pressed") === "true";
    stop();
    if (again) return;
    context = context || new (window.AudioContext || window.webkitAudioContext)();
    await context.resume();
    const out = context.createGain(), at = context.currentTime + 0.1, first = notes.onset[0] || 0;
    out.gain.value = 0.25;
    out.connect(context.destination);
    const voices = notes.pitch.map((pitch, k) => {
      const voice = context.createOscillator(), level = context.createGain();
      const begin = at + notes.onset[k] - first, end = begin + Math.max(notes.duration[k], 0.08);
      voice.type = "triangle";
      voice.frequency.value = 440 * 2 ** ((pitch - 69) / 12);
      level.gain.setValueAtTime(0, begin);
      level.gain.linearRampToValueAtTime(1, begin + 0.015);
      level.gain.setTargetAtTime(0, end - 0.03, 0.03);
      voice.connect(level).connect(out);
      voice.start(begin);
      voice.stop(end + 0.2);
      return voice;
    });
    const length = notes.onset[notes.onset.length - 1] + notes.duration[notes.duration.length - 1] - first;
    const timer = setTimeout(stop, 1000 * (length + 0.5));
    button.setAttribute("aria-pressed", "true");
    stopping = () => {
      clearTimeout(timer);
      for (const voice of voices) { try { voice.stop(); } catch { /* had ended */ } }
      out.disconnect();
      button.setAttribute("aria-pressed", "false");
    };
  }

  function roll(notes) {
    const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg");
    const low = Math.min(...notes.pitch), high = Math.max(...notes.pitch), first = notes.onset[0];
    const last = notes.onset[notes.onset.length - 1] + notes.duration[notes.duration.length - 1];
    svg.setAttribute("viewBox", "0 0 1000 90");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", "roll");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${notes.pitch.length} notes`);
    notes.pitch.forEach((pitch, k) => {
      const note = document.createElementNS(space, "rect");
      note.setAttribute("x", 1000 * (notes.onset[k] - first) / (last - first));
      note.setAttribute("width", Math.max(1.5, 1000 * notes.duration[k] / (last - first)));
      note.setAttribute("y", 80 - 76 * (pitch - low) / Math.max(high - low, 1));
      note.setAttribute("height", 6);
      note.setAttribute("class", "note same");
      svg.append(note);
    });
    return svg;
  }

  return { play, roll, stop };
})();
