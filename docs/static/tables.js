// Gives each cell the heading of its column, which site.css shows where the screen is narrow.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("article table")) {
    const headings = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
    if (headings.length < 3 || table.rows.length > 60) continue;
    table.classList.add("stacked");
    for (const row of table.tBodies[0].rows) {
      [...row.cells].forEach((cell, column) => {
        if (column > 0 && headings[column]) cell.dataset.heading = headings[column];
      });
    }
  }
});
