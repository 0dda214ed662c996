"use strict";
(() => {
  // Whatever begins, ends or is removed makes the list anew, once somebody looks.
  const events = new EventSource(document.getElementById("store").dataset.events);
  let changed = false;
  const renew = () => { if (changed && !document.hidden) location.reload(); };
  events.addEventListener("changed", () => { changed = true; renew(); });
  document.addEventListener("visibilitychange", renew);
  const said = document.getElementById("said");
  events.addEventListener("same", () => { said.textContent = ""; });
  events.addEventListener("error", () => {
    said.textContent = "The server does not answer; this page asks again on its own.";
  });
  const table = document.getElementById("runs"), filter = document.getElementById("filter");
  if (!table) return;
  const apply = () => {
    for (const row of table.tBodies[0].rows) row.hidden = filter.value !== "" && row.dataset.verdict !== filter.value;
  };
  filter.value = location.hash.slice(1).replaceAll("%20", " ");
  filter.addEventListener("change", () => { location.hash = filter.value; apply(); });
  table.tHead.querySelectorAll("button").forEach((button, column) => {
    let up = true;
    button.addEventListener("click", () => {
      const rows = [...table.tBodies[0].rows], text = (row) => row.cells[column].textContent;
      rows.sort((a, b) => text(a).localeCompare(text(b), "en", { numeric: true }) * (up ? 1 : -1));
      button.parentElement.setAttribute("aria-sort", up ? "ascending" : "descending");
      up = !up;
      table.tBodies[0].append(...rows);
    });
  });
  apply();
})();
