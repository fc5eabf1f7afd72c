"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);

  // -- cells of the AR tables: their training in a panel ------------------------------------

  const panel = find("cell");
  const cells = [...document.querySelectorAll("[data-cell]")];

  function showCell(button) {
    const content = find(`cell-${button.dataset.cell}`);
    if (!content || button.getAttribute("aria-pressed") === "true") return;
    for (const other of cells) other.setAttribute("aria-pressed", String(other === button));
    panel.replaceChildren(content.content.cloneNode(true));
  }

  // Arrow keys walk over the table as the eye does; Tab still visits every cell.
  function neighbour(button, key) {
    const cell = button.closest("td");
    const row = cell.parentElement;
    if (key === "ArrowLeft") return cell.previousElementSibling;
    if (key === "ArrowRight") return cell.nextElementSibling;
    const other = key === "ArrowUp" ? row.previousElementSibling : row.nextElementSibling;
    return other && other.children[cell.cellIndex];
  }

  for (const button of cells) {
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => showCell(button));
    button.addEventListener("focus", () => showCell(button));
    button.addEventListener("keydown", (event) => {
      if (!event.key.startsWith("Arrow")) return;
      const next = neighbour(button, event.key)?.querySelector("[data-cell]");
      if (next) {
        event.preventDefault();
        next.focus();
      }
    });
  }
  if (panel && cells.length) {
    panel.hidden = false;
    const first = document.querySelector(".used [data-cell]") ?? cells[0];
    showCell(first);
  }

  // -- the threshold: graph and tree ---------------------------------------------------------

  const slider = find("threshold");
  if (slider) {
    const { stops, names, classes } = data;
    const place = find("tree");
    const caption = find("tree-text");
    const own = { tree: [...place.childNodes], text: [...caption.childNodes] };
    const ownEdges = [...document.querySelectorAll(".graph .weights text")].map(
      (label) => Number(label.textContent),
    );
    const edges = [...document.querySelectorAll(".graph [data-edge]")];
    const steps = [...document.querySelectorAll(".frontier [data-tree]")];
    let shown = null;

    const range = (stop) =>
      stop.high === null
        ? `${stop.low.toFixed(2)} % or more`
        : `${stop.low.toFixed(2)} % to below ${stop.high.toFixed(2)} %`;

    function drawGraph(weights) {
      for (const edge of edges) {
        const weight = weights[Number(edge.dataset.edge)];
        if (edge.tagName === "line") edge.setAttribute("class", classes[weight]);
        else edge.textContent = String(weight);
      }
    }

    function drawTree(number) {
      if (shown === number) return;
      shown = number;
      const content = find(`tree-${number}`);
      place.replaceChildren(content.content.cloneNode(true));
      const notation = document.createElement("span");
      notation.className = "notation";
      notation.textContent = names[number];
      const which = document.createElement("b");
      const same = names[number] === data.final ? ", the tree of this run" : "";
      which.textContent = `Tree ${number + 1} of ${names.length}${same}`;
      caption.replaceChildren(which, " ", notation, " ", content.dataset.text);
    }

    function tell(text, number) {
      find("readout").textContent = text;
      slider.setAttribute("aria-valuetext", `${text}: ${names[number] ?? data.final}`);
      for (const step of steps) {
        step.classList.toggle("now", Number(step.dataset.tree) === number);
      }
      find("previous").disabled = number <= 0;
      find("next").disabled = number >= names.length - 1;
    }

    function go(position) {
      const stop = stops[position];
      slider.value = String(position);
      drawGraph(stop.weights);
      drawTree(stop.tree);
      tell(range(stop), stop.tree);
    }

    function goHome() {
      const stop = stops[data.start];
      slider.value = String(data.start);
      shown = null;
      drawGraph(ownEdges);
      place.replaceChildren(...own.tree);
      caption.replaceChildren(...own.text);
      tell(range(stop), stop.tree);
    }

    // The first stop of a tree: going back and forth visits each tree once.
    function goToTree(step) {
      const wanted = stops[Number(slider.value)].tree + step;
      const position = stops.findIndex((stop) => stop.tree === wanted);
      if (position >= 0) go(position);
    }

    slider.addEventListener("input", () => go(Number(slider.value)));
    find("previous").addEventListener("click", () => goToTree(-1));
    find("next").addEventListener("click", () => goToTree(1));
    find("home")?.addEventListener("click", goHome);
    find("controls").hidden = false;
    if (data.final === null) go(data.start);
    else goHome();
  }

  // -- tables that can be sorted by their column heads ---------------------------------------

  const valueOf = (row, column) => {
    const cell = row.children[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = Number(text.replaceAll(",", "").replace(/ M$/, ""));
    return text === "" || text === "–" ? null : Number.isNaN(number) ? text : number;
  };

  function compare(a, b) {
    if (a === null || b === null) return (a === null) - (b === null); // no value: last
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function sort(table, head) {
    const column = head.cellIndex;
    const rising = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => ({ row, value: valueOf(row, column) }));
    const sign = (x) => (rising || x.a === null || x.b === null ? 1 : -1);
    keyed.sort((x, y) => sign({ a: x.value, b: y.value }) * compare(x.value, y.value));
    body.append(...keyed.map((entry) => entry.row));
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, head));
    }
  }
})();
