"use strict";
// Sorts and filters the table of tracks; the rows are in the page.
(() => {
  const body = document.querySelector("#table tbody");
  const rows = Array.from(body.rows);
  const keys = new Map();
  const search = document.getElementById("filter"), shown = document.getElementById("shown");
  const words = rows.map((row) => row.textContent.toLowerCase());
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
    const order = rows.map((_, k) => k);
    order.sort(kind === "text"
      ? (a, b) => collator.compare(values[a], values[b]) || a - b
      : (a, b) => values[a] - values[b] || a - b);
    if (down) order.reverse();
    const parent = body.parentNode, next = body.nextSibling;
    parent.removeChild(body); // one layout for all rows
    body.append(...order.map((k) => rows[k]));
    parent.insertBefore(body, next);
    document.querySelectorAll("#table th").forEach((th) => th.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  }

  function filter() {
    const wanted = search.value.trim().toLowerCase();
    const levels = new Set(Array.from(document.querySelectorAll("input.level:checked"), (e) => e.value));
    let count = 0;
    rows.forEach((row, k) => {
      const visible = levels.has(row.dataset.l) && words[k].includes(wanted);
      if (row.hidden === visible) row.hidden = !visible;
      count += visible;
    });
    shown.textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} tracks`;
  }

  document.querySelectorAll("#table th").forEach((th) => th.querySelector("button").addEventListener("click", () => sort(th)));
  search.addEventListener("input", filter);
  document.querySelectorAll("input.level").forEach((box) => box.addEventListener("change", filter));
  filter();
})();
