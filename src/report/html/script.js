"use strict";
// Filters the table, moves in it by keyboard, and opens its cells. All texts are put in as text; the page works as a table without this.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const WORDS = {
    passed: ["✓", "passed"], failed: ["✗", "failed"], crashed: ["†", "crashed"], broken: ["!", "broken"], known_issue: ["~", "known issue"],
    skipped: ["-", "skipped"], not_measured: ["·", "not measured"],
  };
  const RED = ["failed", "crashed", "broken"];
  const PAGE = 10;
  const get = (id) => document.getElementById(id);
  const table = get("matrix"), filters = get("filters"), dialog = get("cell"), search = get("search"), area = get("area");
  const head = [...table.tHead.rows[0].cells];

  const make = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  // The rows of claims, each with its cells and the text that is searched.
  const rows = [...table.querySelectorAll("tr[data-row]")].map((line) => {
    const row = data.rows[Number(line.dataset.row)];
    const reasons = row.cells.map((cell) => (cell && cell.reason) || "");
    const words = [row.claim, row.scenario, row.file, row.why || "", ...(row.tags || []), ...(row.see || []), ...reasons];
    return { line, row, cells: [...line.cells].slice(1), text: [...new Set(words)].join("\n").toLowerCase() };
  });
  const buttonOf = (place, column) => rows[place].cells[column].querySelector("button");

  // A cell with something behind it becomes a button; only one of them is in the tab order, and arrows move it.
  rows.forEach(({ row, cells }, place) => cells.forEach((cell, column) => {
    if (!row.cells[column]) return;
    const button = make("button");
    button.type = "button";
    button.tabIndex = -1;
    button.setAttribute("aria-haspopup", "dialog");
    button.dataset.place = place;
    button.dataset.column = column;
    button.append(...cell.childNodes);
    cell.append(button);
  }));

  let current = null;
  const setCurrent = (button) => {
    if (current) current.tabIndex = -1;
    current = button;
    if (current) current.tabIndex = 0;
  };
  const go = (button) => { if (button) { setCurrent(button); button.focus(); } };

  const chosen = (name) => [...filters.querySelectorAll(`input[name=${name}]:checked`)].map((input) => input.value);
  const isShown = (column) => !head[column + 1].hidden;

  // The columns of the chosen runtimes on the chosen kernels; without switches for kernels there is one.
  const columnsChosen = () => {
    const runtimes = new Set(chosen("runtime").map(Number)), kernels = new Set(chosen("kernel").map(Number));
    const several = filters.querySelector("input[name=kernel]") !== null;
    const isChosen = ({ runtime, kernel }) => runtimes.has(runtime) && (!several || kernels.has(kernel));
    return new Set(data.columns.map((_, column) => column).filter((column) => isChosen(data.columns[column])));
  };

  const filter = () => {
    const outcomes = new Set(chosen("outcome")), shownColumns = columnsChosen();
    const wanted = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const columns = data.columns.map((_, column) => column);
    let shown = 0;
    columns.forEach((column) => { head[column + 1].hidden = !shownColumns.has(column); });
    for (const { line, row, cells, text } of rows) {
      columns.forEach((column) => {
        const hidden = !shownColumns.has(column);
        if (cells[column].hidden !== hidden) cells[column].hidden = hidden;
      });
      const marks = columns.filter((column) => shownColumns.has(column) && row.cells[column]).map((column) => row.cells[column].mark);
      const fits = (!area.value || row.area === area.value)
        && (outcomes.size === 0 || marks.some((mark) => outcomes.has(mark)))
        && (!get("differs").checked || differs(marks))
        && wanted.every((word) => text.includes(word));
      line.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    for (const body of table.tBodies) body.hidden = [...body.rows].slice(1).every((line) => line.hidden);
    get("nothing").hidden = shown > 0;
    get("count").textContent = `${shown} of ${rows.length} claims`;
    if (!current || !isVisible(current)) setCurrent(firstVisible());
  };

  // The same rule as the tool's own: what was not measured on one runtime says nothing of it.
  const differs = (marks) => new Set(marks.filter((mark) => mark !== "skipped" && mark !== "not_measured")).size > 1;

  const isVisible = (button) => !rows[button.dataset.place].line.hidden && isShown(Number(button.dataset.column));
  const all = () => [...table.querySelectorAll("td button")].filter(isVisible);
  const firstVisible = () => {
    for (let place = 0; place < rows.length; place++) {
      if (rows[place].line.hidden) continue;
      for (let column = 0; column < data.columns.length; column++) {
        if (isShown(column) && buttonOf(place, column)) return buttonOf(place, column);
      }
    }
    return null;
  };

  // The next cell in this direction that is shown and has something behind it.
  const step = (from, down, right, times = 1) => {
    let place = Number(from.dataset.place), column = Number(from.dataset.column), found = from;
    while (times > 0) {
      place += down;
      column += right;
      if (!rows[place] || column < 0 || column >= data.columns.length) break;
      if (rows[place].line.hidden || !isShown(column)) continue;
      const button = buttonOf(place, column);
      if (button) { found = button; times -= 1; }
    }
    return found;
  };

  const redAfter = (from, way) => {
    const red = all().filter((button) => RED.includes(cellOf(button).mark));
    const before = (button) => (button.compareDocumentPosition(from) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
    if (way > 0) return red.find((button) => button !== from && !before(button)) || from;
    return red.reverse().find((button) => button !== from && before(button)) || from;
  };

  const cellOf = (button) => rows[button.dataset.place].row.cells[button.dataset.column];

  const MOVES = {
    ArrowDown: (from) => step(from, 1, 0), ArrowUp: (from) => step(from, -1, 0),
    ArrowRight: (from) => step(from, 0, 1), ArrowLeft: (from) => step(from, 0, -1),
    PageDown: (from) => step(from, 1, 0, PAGE), PageUp: (from) => step(from, -1, 0, PAGE),
    Home: (from) => step(from, 0, -1, Infinity), End: (from) => step(from, 0, 1, Infinity),
    n: (from) => redAfter(from, 1), p: (from) => redAfter(from, -1),
  };

  const link = (reference) => {
    if (!/^https?:\/\//.test(reference)) return make("span", reference);
    const anchor = make("a", reference);
    anchor.href = reference;
    anchor.rel = "noreferrer noopener";
    anchor.target = "_blank";
    return anchor;
  };

  const part = (body, title, ...content) => { body.append(make("h3", title), ...content); };

  const listing = (names, lines) => {
    const list = make("table", undefined, "seen"), top = list.createTHead().insertRow(), body = list.createTBody();
    for (const name of names) {
      const cell = make("th", name);
      cell.scope = "col";
      top.append(cell);
    }
    for (const texts of lines) body.insertRow().append(...texts.map((text) => make("td", text)));
    return list;
  };
  const seen = (readings) => listing(
    ["From", "Fact", "Observed"],
    readings.map(([view, fact, value, note]) => [view, fact, [value, note].filter(Boolean).join("  ")]),
  );

  // Wider than the panel, it can be moved by keyboard.
  const drawing = (text) => {
    const made = make("pre", text);
    made.tabIndex = 0;
    made.setAttribute("role", "region");
    made.setAttribute("aria-label", "Evidence");
    return made;
  };

  const show = (button) => {
    const { row } = rows[button.dataset.place], column = Number(button.dataset.column), cell = row.cells[column];
    const body = get("cell-body"), [symbol, word] = WORDS[cell.mark];
    get("cell-where").textContent = `${row.file}:${row.line} · ${row.scenario}`;
    get("cell-claim").textContent = row.claim;
    get("cell-runtimes").replaceChildren(...switches(button, column));
    const outcome = make("p", `${symbol} ${word} on ${data.columns[column].name}`, `outcome ${cell.mark}`);
    outcome.append(make("small", `${cell.took} ms`));
    body.replaceChildren(outcome);
    if (cell.reason) part(body, cell.mark === "known_issue" ? "What is known" : "Why it was not measured", make("p", cell.reason));
    if (cell.found) part(body, "Expected and observed", listing(["Fact", "Expected", "Observed"], cell.found));
    if (cell.drawn) part(body, "Evidence", drawing(cell.drawn));
    if (cell.seen && !cell.found) part(body, "Observed", seen(cell.seen));
    if (row.why) part(body, "Why it matters", make("p", row.why));
    if (row.see) part(body, "References", list(row.see));
    if (row.tags) part(body, "Tags", ...row.tags.map((tag) => make("span", tag, "tag")));
  };

  const list = (references) => {
    const made = make("ul");
    for (const reference of references) {
      const item = make("li");
      item.append(link(reference));
      made.append(item);
    }
    return made;
  };

  // The same claim in the other columns.
  const switches = (from, column) => data.columns.flatMap(({ name }, other) => {
    const target = buttonOf(from.dataset.place, other);
    if (!target) return [];
    const cell = cellOf(target), button = make("button", `${WORDS[cell.mark][0]} ${name}`, cell.mark);
    button.type = "button";
    button.setAttribute("aria-pressed", String(other === column));
    button.setAttribute("aria-label", `${name}: ${WORDS[cell.mark][1]}`);
    button.addEventListener("click", () => {
      if (isVisible(target)) setCurrent(target);
      show(target);
      get("cell-runtimes").querySelector("[aria-pressed=true]").focus();
    });
    return [button];
  });

  const open = (button) => {
    setCurrent(button);
    show(button);
    dialog.showModal();
    dialog.scrollTop = 0;
  };

  table.addEventListener("click", (event) => {
    const button = event.target.closest("td button");
    if (button) open(button);
  });
  table.addEventListener("keydown", (event) => {
    const move = MOVES[event.key], from = event.target.closest("td button");
    if (!move || !from || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    go(move(from));
  });
  document.addEventListener("keydown", (event) => {
    const writes = event.target.closest("input[type=search], select");
    if (event.key === "/" && !writes && !dialog.open) { event.preventDefault(); search.focus(); }
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => { if (current) current.focus(); });

  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); });
  filters.addEventListener("change", filter);
  filters.addEventListener("reset", () => setTimeout(filter));
  filters.addEventListener("submit", (event) => { event.preventDefault(); filter(); });
  filters.hidden = false;
  get("keys").hidden = false;
  filter();
})();
