"use strict";
// Browses the library, imports into it, edits rights. All text from files is set as text.
(() => {
  const get = (id) => document.getElementById(id);
  const body = document.querySelector("#entries tbody"), dialog = get("edit");
  const PAGE = 50, OURS = { "X-Melodysim": "1" };
  let offset = 0, wait = null, current = null, turn = 0;

  function cell(row, words, kind) {
    const element = row.insertCell();
    element.textContent = words ?? "";
    if (kind) element.className = kind;
    return element;
  }

  async function refresh() {
    const mine = ++turn;
    const query = new URLSearchParams({ text: get("text").value, offset, limit: PAGE });
    const found = await (await fetch(`/api/library?${query}`)).json();
    if (mine !== turn) return;
    get("total").textContent = `${found.melodies.toLocaleString("en")} melodies`;
    get("where").textContent = found.entries.length ? `${offset + 1} to ${offset + found.entries.length}` : "nothing found";
    get("before").disabled = offset === 0;
    get("after").disabled = found.entries.length < PAGE;
    body.replaceChildren();
    for (const entry of found.entries) {
      const row = body.insertRow();
      cell(row, entry.title);
      cell(row, entry.creator);
      cell(row, entry.notes, "number");
      const badge = document.createElement("span");
      const free = !["in-copyright", "unknown"].includes(entry.today);
      badge.className = `badge ${free ? "free" : "review"}`;
      badge.textContent = entry.today;
      cell(row, "").append(badge);
      cell(row, entry.source.split(/[/\\]/).pop());
      const play = document.createElement("button");
      play.type = "button";
      play.className = "small";
      play.textContent = "▶";
      play.setAttribute("aria-label", `Play ${entry.title}`);
      play.addEventListener("click", async () => {
        const answer = await fetch(`/api/library/notes?${new URLSearchParams({ id: entry.id })}`);
        window.tones.play(await answer.json(), play);
      });
      const button = document.createElement("button");
      button.type = "button";
      button.className = "small";
      button.textContent = "Edit";
      button.setAttribute("aria-label", `Edit ${entry.title}`);
      button.addEventListener("click", () => edit(entry));
      cell(row, "").append(play, " ", button);
    }
  }

  function edit(entry) {
    current = entry;
    get("edit-title").textContent = entry.title;
    get("edit-id").textContent = entry.id;
    get("edit-says").textContent = "";
    get("edit-name").value = entry.title;
    get("edit-creator").value = entry.creator ?? "";
    for (const field of dialog.querySelectorAll("[name]")) field.value = entry.rights[field.name] ?? "";
    dialog.showModal();
  }

  async function ask(path, options) {
    const answer = await fetch(path, { ...options, headers: OURS });
    const content = await answer.json();
    if (!answer.ok) throw new Error(content.error);
    return content;
  }

  get("save").addEventListener("click", async () => {
    const asked = { id: current.id };
    for (const { name, value } of dialog.querySelectorAll("[name]")) {
      asked[name] = value === "" ? null : ["published", "died"].includes(name) ? Number(value) : value;
    }
    try {
      await ask("/api/library/rights", { method: "POST", body: JSON.stringify(asked) });
      const names = { id: current.id, title: get("edit-name").value, creator: get("edit-creator").value || null };
      if (names.title !== current.title || names.creator !== (current.creator ?? null)) {
        await ask("/api/library/names", { method: "POST", body: JSON.stringify(names) });
      }
      dialog.close();
      refresh();
    } catch (error) { get("edit-says").textContent = error.message; }
  });
  get("remove").addEventListener("click", async () => {
    if (!confirm(`Take “${current.title}” out of the library?`)) return;
    try {
      await ask(`/api/library?${new URLSearchParams({ id: current.id })}`, { method: "DELETE" });
      dialog.close();
      refresh();
    } catch (error) { get("edit-says").textContent = error.message; }
  });

  async function send(files) {
    let imported = 0, unchanged = 0;
    const failed = [];
    for (const [k, file] of [...files].entries()) {
      get("says").textContent = `importing ${k + 1} of ${files.length}: ${file.name}`;
      const query = new URLSearchParams({
        name: file.name, rights: get("import-rights").value,
        creator: get("import-creator").value, holder: get("import-holder").value,
      });
      try {
        const answer = await ask(`/api/library?${query}`, { method: "POST", body: file });
        imported += answer.imported;
        unchanged += answer.unchanged;
      } catch (error) { failed.push(error.message); }
    }
    get("says").textContent = [`${imported} imported`, unchanged ? `${unchanged} there already` : "", ...failed].filter(Boolean).join(" · ");
    refresh();
  }

  const drop = get("drop");
  get("file").addEventListener("change", async (event) => { const files = [...event.target.files]; event.target.value = ""; await send(files); });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    send([...event.dataTransfer.files]);
  });
  get("text").addEventListener("input", () => { clearTimeout(wait); offset = 0; wait = setTimeout(refresh, 150); });
  get("before").addEventListener("click", () => { offset = Math.max(0, offset - PAGE); refresh(); });
  get("after").addEventListener("click", () => { offset += PAGE; refresh(); });
  refresh();
})();
