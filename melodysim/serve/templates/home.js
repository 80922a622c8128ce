"use strict";
// Uploads, and the list of checks. All text from files is set as text, never as HTML.
(() => {
  const list = document.getElementById("checks"), says = document.getElementById("says");
  const drop = document.getElementById("drop"), input = document.getElementById("file");
  const uploads = new Map(); // name and number -> how far
  let number = 0, timer = null, failures = [];

  const GRADES = { uncertain: "not cleared", unchecked: "not checked" };

  async function holdings() {
    const { melodies, protected: bound, suspects } = await (await fetch("/api/library/holdings")).json();
    const count = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
    const words = [`The library holds ${count(melodies, "melody", "melodies")}, ${bound.toLocaleString("en")} of them protected`];
    if (suspects) words.push(`and ${count(suspects, "song", "songs")} that you named`);
    const nothing = bound || suspects ? "." : ". There is nothing yet that a track could be compared with: add the works that you are worried about, or name a song.";
    document.getElementById("holdings").textContent = words.join(" ") + nothing;
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
      await fetch("/api/findings", {
        method: "POST", headers: { "X-Melodysim": "1" }, body: JSON.stringify({ check: check.id, finding, note, accept }),
      });
      refresh();
    });
    return button;
  }

  function show(checks) {
    const rows = [];
    for (const [, { name, share }] of uploads) rows.push(item(name, { words: "uploading", share })[0]);
    for (const check of checks) {
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
      }
      if (check.state === "done") {
        for (const found of check.findings) head.append(settling(check, found, true));
        for (const found of check.settled) head.append(settling(check, found, false));
      }
      const remove = make("button", busy ? "Stop" : "Forget", "small");
      remove.type = "button";
      remove.setAttribute("aria-label", `${busy ? "Stop" : "Forget"} ${check.name}`);
      remove.addEventListener("click", async () => {
        await fetch(`/api/checks/${check.id}`, { method: "DELETE", headers: { "X-Melodysim": "1" } });
        refresh();
      });
      head.append(remove);
      rows.push(row);
    }
    document.getElementById("none").hidden = rows.length > 0;
    const focused = document.activeElement && document.activeElement.getAttribute("aria-label");
    list.replaceChildren(...rows);
    if (focused) list.querySelectorAll("button, a").forEach((e) => { if (e.getAttribute("aria-label") === focused) e.focus(); });
    return checks.some((check) => check.state === "waiting" || check.state === "working");
  }

  async function refresh() {
    clearTimeout(timer);
    try {
      const busy = show((await (await fetch("/api/checks")).json()).checks);
      timer = setTimeout(refresh, busy || uploads.size ? 500 : 5000);
    } catch {
      says.textContent = "melodysim has stopped; start `melodysim serve` again.";
      timer = setTimeout(refresh, 3000);
    }
  }

  // XMLHttpRequest, because fetch does not say how much has been sent.
  function send(file) {
    const key = ++number;
    uploads.set(key, { name: file.name, share: 0 });
    const request = new XMLHttpRequest();
    request.open("POST", `/api/checks?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("X-Melodysim", "1");
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) uploads.set(key, { name: file.name, share: event.loaded / event.total });
    });
    request.addEventListener("loadend", () => {
      uploads.delete(key);
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
