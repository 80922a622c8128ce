"use strict";
// Uploads, and the list of checks. All text from files is set as text, never as HTML.
(() => {
  const list = document.getElementById("checks"), says = document.getElementById("says");
  const drop = document.getElementById("drop"), input = document.getElementById("file");
  const uploads = new Map(); // number -> name, how far, and how to stop it
  const shown = new Map(); // key of a row -> what it shows, as text, and the row
  const STOPPED = "melodysim has stopped; start `melodysim serve` again.";
  let number = 0, timer = null, failures = [], refocused = null;

  const GRADES = { uncertain: "not cleared", unchecked: "not checked" };

  async function holdings() {
    const answer = await fetch("/api/library/holdings"), content = await answer.json();
    if (!answer.ok) { says.textContent = content.error; return; }
    const { melodies, protected: bound, suspects } = content;
    const count = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
    const words = [`The library holds ${count(melodies, "melody", "melodies")}, ${bound.toLocaleString("en")} of them protected`];
    if (suspects) words.push(`and ${count(suspects, "song", "songs")} that you named`);
    const nothing = bound || suspects ? "." : ". There is nothing yet that a track could be compared with: add the works that you are worried about, or name a song.";
    document.getElementById("holdings").textContent = words.join(" ") + nothing;
  }

  // Asks for something to be done; where it cannot be, the page says why.
  async function ask(path, options) {
    const answer = await fetch(path, { ...options, headers: { "X-Melodysim": "1" } });
    if (!answer.ok) says.textContent = (await answer.json().catch(() => ({}))).error || `that could not be done (${answer.status})`;
    refresh();
  }

  function make(tag, words, kind) {
    const element = document.createElement(tag);
    if (words) element.textContent = words;
    if (kind) element.className = kind;
    return element;
  }

  function item(name, state) {
    const row = make("li"), head = make("div", "", "check-head");
    head.append(make("span", name, "check-name"));
    row.append(head);
    if (state.grade) head.prepend(make("span", GRADES[state.grade] || state.grade, `badge ${state.grade}`));
    if (state.failed) head.prepend(make("span", "not checked", "badge error"));
    if (state.words) row.append(make("p", state.words, "note-line"));
    if (state.share !== undefined) {
      const bar = make("progress");
      if (state.share !== null) { bar.max = 1; bar.value = state.share; }
      bar.setAttribute("aria-label", `${name}: ${state.words}`);
      row.append(bar);
    }
    return [row, head];
  }

  // A button that settles what a check found, or lets alarm again what was settled.
  function settling(check, [finding, title], accept) {
    const work = `“${title.length > 40 ? `${title.slice(0, 39)}…` : title}”`;
    const button = make("button", accept ? `Accept ${work}…` : `Let ${work} alarm again`, "small");
    button.type = "button";
    button.setAttribute("aria-label", `${button.textContent} ${check.name}`);
    button.addEventListener("click", async () => {
      const note = accept ? prompt(`Why does ${work} not count, such as the number of a licence?`) : "";
      if (note === null) return;
      await ask("/api/findings", { method: "POST", body: JSON.stringify({ check: check.id, finding, note, accept }) });
    });
    return button;
  }

  function removing(words, name, act) {
    const button = make("button", words, "small");
    button.type = "button";
    button.setAttribute("aria-label", `${words} ${name}`);
    button.addEventListener("click", act);
    return button;
  }

  function uploadRow({ name, stop }) {
    const [row, head] = item(name, { words: "uploading", share: 0 });
    head.append(removing("Stop", name, stop));
    return row;
  }

  function checkRow(check) {
    const busy = check.state === "waiting" || check.state === "working";
    const [row, head] = item(check.name, {
      grade: check.accepted ? "accepted" : check.grade || check.level, failed: check.state === "failed",
      words: check.state === "waiting" ? "waiting" : check.words, share: busy ? null : undefined,
    });
    row.dataset.id = check.id;
    row.dataset.state = check.state;
    if (check.state === "done") {
      const link = make("a", "Report", "button small");
      link.href = `/checks/${check.id}`;
      link.setAttribute("aria-label", `Report on ${check.name}`);
      head.append(link);
      for (const found of check.findings) head.append(settling(check, found, true));
      for (const found of check.settled) head.append(settling(check, found, false));
    }
    head.append(removing(busy ? "Stop" : "Forget", check.name, () => ask(`/api/checks/${check.id}`, { method: "DELETE" })));
    return row;
  }

  // A row is made anew only where what it shows has changed: a click or the focus in another is not lost,
  // and the focus stays with the check that it was on, whatever others are called.
  function row(key, content, build) {
    const words = JSON.stringify(content), before = shown.get(key);
    if (before && before.words === words) return before.row;
    const made = build();
    if (before && before.row.contains(document.activeElement)) {
      const label = document.activeElement.getAttribute("aria-label");
      const same = [...made.querySelectorAll("button, a")].find((e) => e.getAttribute("aria-label") === label);
      refocused = same || made.querySelector("a"); // where Stop was, the report: never Forget
    }
    shown.set(key, { words, row: made });
    return made;
  }

  function show(checks) {
    const rows = new Map();
    for (const [key, upload] of uploads) {
      const made = row(`upload ${key}`, upload.name, () => uploadRow(upload));
      made.querySelector("progress").value = upload.share;
      rows.set(`upload ${key}`, made);
    }
    for (const check of checks) rows.set(`check ${check.id}`, row(`check ${check.id}`, check, () => checkRow(check)));
    for (const key of shown.keys()) if (!rows.has(key)) shown.delete(key);
    document.getElementById("none").hidden = rows.size > 0;
    // Rows that stay are not moved: to move one is to take the focus from it.
    const wanted = [...rows.values()];
    for (const old of [...list.children]) if (!wanted.includes(old)) old.remove();
    wanted.forEach((made, place) => { if (list.children[place] !== made) list.insertBefore(made, list.children[place] || null); });
    if (refocused) refocused.focus();
    refocused = null;
    return checks.some((check) => check.state === "waiting" || check.state === "working");
  }

  async function refresh() {
    clearTimeout(timer);
    try {
      const busy = show((await (await fetch("/api/checks")).json()).checks);
      if (says.textContent === STOPPED) says.textContent = "";
      timer = setTimeout(refresh, busy || uploads.size ? 500 : 5000);
    } catch {
      says.textContent = STOPPED;
      timer = setTimeout(refresh, 3000);
    }
  }

  // XMLHttpRequest, because fetch does not say how much has been sent.
  function send(file) {
    const key = ++number;
    const request = new XMLHttpRequest(), upload = { name: file.name, share: 0, stop: () => request.abort() };
    uploads.set(key, upload);
    request.open("POST", `/api/checks?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("X-Melodysim", "1");
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) upload.share = event.loaded / event.total;
    });
    let stopped = false;
    request.addEventListener("abort", () => { stopped = true; });
    request.addEventListener("loadend", () => {
      uploads.delete(key);
      if (stopped) { refresh(); return; }
      if (request.status !== 201) {
        let why = "the upload was broken off";
        try { why = JSON.parse(request.responseText).error; } catch { /* no answer */ }
        failures.push(`${file.name}: ${why.replace(`${file.name}: `, "")}`);
        says.textContent = failures.join(" · ");
      }
      refresh();
    });
    request.send(file);
    refresh();
  }

  function take(files) {
    failures = [];
    says.textContent = "";
    [...files].forEach(send);
  }

  input.addEventListener("change", () => { const files = [...input.files]; input.value = ""; take(files); });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files);
  });
  holdings();
  refresh();
})();
