"use strict";
(() => {
  // Only while a run is under way, and somebody looks.
  if (document.querySelector("main").dataset.live === "true") {
    setInterval(() => { if (!document.hidden) location.reload(); }, 5000);
  }
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
