"use strict";
// Sorts and filters the table of tracks; the rows are in the page.
(() => {
  const body = document.querySelector("#table tbody");
  const rows = Array.from(body.rows);
  const keys = new Map(), order = rows.map((_, k) => k), PAGE = 200;
  let found = order, first = 0;
  const search = document.getElementById("filter"), shown = document.getElementById("shown");
  const words = rows.map((row) => `${row.textContent} ${row.cells[0].title}`.toLowerCase());
  const collator = new Intl.Collator(undefined, { numeric: true });

  function key(column, kind) {
    if (!keys.has(column)) {
      keys.set(column, rows.map((row) => {
        const cell = row.cells[column];
        return kind === "text" ? cell.textContent : cell.dataset.v === "" ? Infinity : Number(cell.dataset.v);
      }));
    }
    return keys.get(column);
  }

  function sort(head) {
    const column = head.cellIndex, kind = head.dataset.kind;
    const down = head.getAttribute("aria-sort") === "ascending";
    const values = key(column, kind);
    order.sort(kind === "text"
      ? (a, b) => collator.compare(values[a], values[b]) || a - b
      : (a, b) => values[a] - values[b] || a - b);
    if (down) order.reverse();
    // What has no value stands last either way.
    const blank = (k) => values[k] === "" || values[k] === Infinity;
    order.sort((a, b) => blank(a) - blank(b));
    filter();
    document.querySelectorAll("#table th").forEach((th) => th.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  }

  // Only a page of rows is laid out at a time; on paper, all that were asked for.
  function paint(all) {
    const last = all ? found.length : Math.min(first + PAGE, found.length);
    const visible = found.slice(all ? 0 : first, last).map((k) => rows[k]);
    for (const row of visible) row.hidden = false;
    body.replaceChildren(...visible);
    document.getElementById("pager").hidden = found.length <= PAGE;
    document.getElementById("before").disabled = first === 0;
    document.getElementById("after").disabled = last >= found.length;
    document.getElementById("where").textContent = found.length ? `${first + 1} to ${last}` : "";
  }

  const fresh = document.getElementById("fresh"), fold = document.getElementById("fold");
  const opened = new Set(); // groups of takes that are unfolded

  function filter() {
    const wanted = search.value.trim().toLowerCase();
    const levels = new Set(Array.from(document.querySelectorAll("input.level:checked"), (e) => e.value));
    const met = new Set(); // of the takes of one melody the first stands for all
    found = order.filter((k) => {
      const row = rows[k], group = row.dataset.g;
      if (!levels.has(row.dataset.l) || !words[k].includes(wanted)) return false;
      if (fresh.checked && !row.dataset.n) return false;
      if (!group || !fold || !fold.checked) return true;
      const head = !met.has(group);
      met.add(group);
      const button = row.querySelector(".takes");
      if (button) { button.hidden = !head; button.setAttribute("aria-expanded", opened.has(group)); }
      row.classList.toggle("take", !head);
      return head || opened.has(group);
    });
    first = 0;
    shown.textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} tracks`;
    paint(false);
  }

  function turn(by) {
    first = Math.min(Math.max(0, first + by), Math.max(0, found.length - 1));
    paint(false);
    document.getElementById("table").scrollIntoView({ block: "nearest" });
  }

  document.getElementById("before").addEventListener("click", () => turn(-PAGE));
  document.getElementById("after").addEventListener("click", () => turn(PAGE));
  addEventListener("beforeprint", () => paint(true));
  addEventListener("afterprint", () => paint(false));
  document.querySelectorAll("#table th").forEach((th) => th.querySelector("button").addEventListener("click", () => sort(th)));
  search.addEventListener("input", filter);
  document.querySelectorAll("input.level").forEach((box) => box.addEventListener("change", filter));
  fresh.addEventListener("change", filter);
  if (fold) fold.addEventListener("change", filter);
  body.addEventListener("click", (event) => {
    const button = event.target.closest(".takes");
    if (!button) return;
    const group = button.closest("tr").dataset.g;
    if (!opened.delete(group)) opened.add(group);
    filter();
  });
  // On a phone each row is a card, whose cells say what they are.
  const names = Array.from(document.querySelectorAll("#table th"), (th) => th.textContent);
  rows.forEach((row) => [...row.cells].forEach((cell, k) => { cell.dataset.name = names[k]; }));
  filter();
})();
