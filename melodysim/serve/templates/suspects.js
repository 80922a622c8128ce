"use strict";
// Names songs, records a hum, shows and plays what was heard. All text from files is set as text.
(() => {
  const get = (id) => document.getElementById(id);
  const OURS = { "X-Melodysim": "1" }, list = get("list");
  const LONGEST = 60; // seconds of a hum
  let recording = null;

  function make(tag, words, kind) {
    const element = document.createElement(tag);
    if (words) element.textContent = words;
    if (kind) element.className = kind;
    return element;
  }

  async function ask(path, options) {
    const answer = await fetch(path, { ...options, headers: OURS });
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.error);
    return content;
  }

  async function item(song) {
    const row = make("article", "", "suspect"), head = make("div", "", "check-head");
    const id = new URLSearchParams({ id: song.id });
    row.dataset.id = song.id;
    head.append(make("span", song.title, "check-name"));
    if (song.creator) head.append(make("span", song.creator, "meta"));
    const notes = await ask(`/api/suspects/notes?${id}`);
    const play = make("button", "▶ Play what was heard", "small");
    play.type = "button";
    play.addEventListener("click", () => window.tones.play(notes, play));
    const save = make("a", "MIDI to correct", "button small");
    save.href = `/api/suspects/midi?${id}`;
    save.download = "heard.mid";
    const put = make("label", "Give corrected notes", "button small"), file = make("input", "", "hidden");
    file.type = "file";
    file.addEventListener("change", () => send([...file.files], song.id));
    put.append(file);
    const remove = make("button", "Take off", "small");
    remove.type = "button";
    remove.setAttribute("aria-label", `Take ${song.title} off the list`);
    remove.addEventListener("click", async () => {
      await ask(`/api/suspects?${id}`, { method: "DELETE" });
      refresh();
    });
    head.append(play, save, put, remove);
    const trust = song.corrected ? `Corrected by hand. ${song.trust}` : song.trust;
    row.append(head, window.tones.roll(notes), make("p", `${song.notes} notes. ${trust}`, "note-line"));
    return row;
  }

  async function refresh() {
    const { suspects } = await ask("/api/suspects");
    list.replaceChildren(...(await Promise.all(suspects.map(item))));
    get("none").hidden = suspects.length > 0;
  }

  async function send(files, correct) {
    const failed = [];
    for (const file of files) {
      get("says").textContent = `listening to ${file.name} …`;
      const query = new URLSearchParams({ name: file.name });
      if (correct) query.set("correct", correct);
      else if (files.length === 1) query.set("title", get("title").value);
      if (!correct) query.set("creator", get("creator").value);
      try {
        await ask(`/api/suspects?${query}`, { method: "POST", body: file });
      } catch (error) { failed.push(error.message); }
    }
    get("says").textContent = failed.length ? failed.join(" · ") : correct ? "corrected" : "watched for from now on";
    if (!failed.length && !correct) get("title").value = get("creator").value = "";
    refresh();
  }

  // 16-bit mono WAV: every installation reads it, whatever the browser would record.
  function wav(blocks, rate) {
    const count = blocks.reduce((sum, block) => sum + block.length, 0), view = new DataView(new ArrayBuffer(44 + 2 * count));
    const text = (at, words) => [...words].forEach((c, k) => view.setUint8(at + k, c.charCodeAt(0)));
    text(0, "RIFF"); view.setUint32(4, 36 + 2 * count, true); text(8, "WAVEfmt ");
    view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
    view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
    text(36, "data"); view.setUint32(40, 2 * count, true);
    let at = 44;
    for (const block of blocks) for (const sample of block) { view.setInt16(at, 32767 * Math.max(-1, Math.min(1, sample)), true); at += 2; }
    return new File([view.buffer], "hum.wav", { type: "audio/wav" });
  }

  async function begin() {
    window.tones.stop();
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
    } catch (error) {
      get("says").textContent = `the microphone cannot be used (${error.message})`;
      return;
    }
    const context = new (window.AudioContext || window.webkitAudioContext)();
    const source = context.createMediaStreamSource(stream), tap = context.createScriptProcessor(4096, 1, 1);
    const blocks = [], began = Date.now();
    tap.onaudioprocess = (event) => blocks.push(new Float32Array(event.inputBuffer.getChannelData(0)));
    source.connect(tap).connect(context.destination);
    const timer = setInterval(() => {
      const seconds = (Date.now() - began) / 1000;
      get("humming").textContent = `${seconds.toFixed(0)} s`;
      if (seconds > LONGEST) end();
    }, 250);
    get("hum").textContent = "■ End, and watch for it";
    get("hum").setAttribute("aria-pressed", "true");
    recording = () => {
      clearInterval(timer);
      source.disconnect();
      stream.getTracks().forEach((track) => track.stop());
      const rate = context.sampleRate;
      context.close();
      return wav(blocks, rate);
    };
  }

  function end() {
    const file = recording();
    recording = null;
    get("hum").textContent = "● Hum it";
    get("hum").setAttribute("aria-pressed", "false");
    get("humming").textContent = "";
    if (!get("title").value) get("title").value = "my hum";
    send([file]);
  }

  get("hum").addEventListener("click", () => (recording ? end() : begin()));
  const drop = get("drop");
  get("file").addEventListener("change", (event) => { const files = [...event.target.files]; event.target.value = ""; send(files); });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    send([...event.dataTransfer.files]);
  });
  refresh();
})();
