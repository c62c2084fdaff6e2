"use strict";

const token = location.hash.slice(1);
const byId = (id) => document.getElementById(id);
const MANY_HEADS = 12;
// parameters that have a place of their own in the form
const PLACED = ["table_name", "query_id", "query", "attention_type", "num_heads", "k", "temperature"];

let catalogue = null;

/** An element with these properties and children; text is text, never HTML. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

async function ask(request, body = {}) {
  const headers = { "Content-Type": "application/json", "X-Ruattn-Token": token };
  let response;
  try {
    response = await fetch(`/api/${request}`, { method: "POST", headers, body: JSON.stringify(body) });
  } catch {
    throw { message: "ruattn explore does not answer", hint: "Start it again, and open the address that it prints." };
  }
  const answer = await response.json();
  if (!response.ok) throw answer;
  return answer;
}

function showError(error) {
  const lines = [error.message, error.detail, error.hint].filter(Boolean);
  byId("error").replaceChildren(...lines.map((line) => make("p", { textContent: line })));
  byId("error").hidden = false;
  byId("status").textContent = "";
  byId("answer").hidden = true;
}

/** So many digits: 0.0120 with three, or 1.2e-5 for what begins behind more than three zeros. */
function short(value, digits = 3) {
  if (value === null) return "";
  if (value === 0) return "0";
  if (Math.abs(value) >= 1000) return value.toFixed(0);
  return Math.abs(value) >= 10 ** -(digits + 1) ? value.toPrecision(digits) : value.toExponential(1);
}

function relation() {
  return catalogue.relations.find((one) => one.name === byId("table_name").value);
}

function fill() {
  const { database, role, relations, mechanisms, parameters, k } = catalogue;
  byId("where").textContent = `database ${database}, role ${role}, read-only`;
  byId("table_name").replaceChildren(...relations.map(({ name }) => make("option", { value: name }, name)));
  const families = [...new Set(mechanisms.map(({ family }) => family))];
  const groups = families.map((label) => {
    const members = mechanisms.filter(({ family }) => family === label);
    return make("optgroup", { label }, ...members.map(({ name }) => make("option", { value: name }, name)));
  });
  byId("attention_type").replaceChildren(make("option", { value: "" }, "default"), ...groups);
  byId("k").value = k;
  byId("more").replaceChildren(
    ...parameters.filter(({ name }) => !PLACED.includes(name)).map(({ name, type, help, status }) => {
      const input = make("input", { id: name, name, autocomplete: "off", spellcheck: false });
      input.setAttribute("aria-describedby", `${name}_help`);
      const about = make("small", { id: `${name}_help` }, `${help} (${type}, ${status})`);
      return make("div", { className: "field" }, make("label", { htmlFor: name }, name), input, about);
    }),
  );
  describeMechanism();
}

function describeMechanism() {
  const chosen = byId("attention_type").value;
  const found = catalogue.mechanisms.find(({ name }) => name === chosen);
  const { status } = catalogue.parameters.find(({ name }) => name === "attention_type");
  byId("mechanism").textContent = found ? `${found.formula}; for ${found.best_for}` : status;
}

/** The columns that name a row of the table, and a first row to ask by. */
async function chooseTable() {
  byId("ids").hidden = relation().id_column !== null;
  const ids = make("option", { value: "" }, "their id");
  const names = relation().texts.map((name) => make("option", { value: name }, name));
  byId("label").replaceChildren(ids, ...names);
  byId("label").selectedIndex = names.length ? 1 : 0;
  byId("query_id").value = "";
  if (await suggest()) byId("query_id").value = byId("suggestions").firstChild?.value ?? "";
}

let latest = 0;
/** Rows to ask by; false where the form has changed before they came. */
async function suggest() {
  const mine = ++latest;
  const body = { table_name: byId("table_name").value, label: byId("label").value, text: byId("query_id").value };
  const { rows } = await ask("rows", body);
  if (mine !== latest) return false;
  const options = rows.map(({ id, label }) => make("option", { value: id, label: `${id}: ${label ?? ""}` }));
  byId("suggestions").replaceChildren(...options);
  return true;
}

function chosen() {
  const asks = new FormData(byId("form")).get("asks");
  const values = {};
  for (const { name } of catalogue.parameters) {
    const value = byId(name).value.trim();
    const other = (name === "query" || name === "query_id") && name !== asks;
    if (value && !other) values[name] = value;
  }
  return { values, label: byId("label").value };
}

async function search() {
  const asked = chosen();
  if (!["query", "query_id", "queries"].some((name) => name in asked.values)) {
    showError({ message: "there is no query", hint: "Write the id of a row or a word of its name, or a vector." });
    return;
  }
  wait(true);
  try {
    const answer = await ask("search", asked);
    byId("error").hidden = true;
    byId("ranking").replaceChildren(ranking(answer.rows));
    byId("sql").textContent = answer.sql;
    byId("explain").textContent = answer.explain;
    byId("answer").hidden = false;
    byId("status").textContent = `${counted(answer.rows.length, "row")} in ${answer.milliseconds} ms`;
  } catch (error) {
    showError(error);
  } finally {
    wait(false);
  }
}

function counted(count, name) {
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}

/** While a search runs there is no other, and it can be cancelled. */
function wait(runs) {
  byId("search").disabled = runs;
  byId("cancel").hidden = !runs;
  byId("results").setAttribute("aria-busy", runs);
  if (runs) byId("status").textContent = "Searching...";
}

function ranking(rows) {
  const heads = Math.max(...rows.map((row) => row.head_scores?.length ?? 0));
  const most = Math.max(...rows.map((row) => Math.abs(row.score))) || 1;
  const hottest = Math.max(...rows.flatMap((row) => (row.head_scores ?? []).map(Math.abs))) || 1;
  const top = Object.entries({ rank: "", row: "name", id: "detail", score: "score", logit: "detail" }).map(
    ([title, className]) => make("th", { scope: "col", className }, title));
  for (let head = 1; head <= heads; head += 1) {
    top.push(make("th", { scope: "col", className: "head" }, make("span", {}, "head "), String(head)));
  }
  const lines = rows.map((row) => rankedRow(row, most, hottest));
  const className = heads > MANY_HEADS ? "many" : "";
  return make("table", { className }, make("thead", {}, make("tr", {}, ...top)), make("tbody", {}, ...lines));
}

function rankedRow(row, most, hottest) {
  const again = make("button", { type: "button", title: "Search by this row" }, row.label);
  again.addEventListener("click", () => askBy(row.id));
  const bar = make("span", { className: "bar" });
  bar.classList.toggle("minus", row.score < 0);
  bar.style.setProperty("--share", Math.abs(row.score) / most);
  return make("tr", {},
    make("td", {}, String(row.rank)),
    make("th", { scope: "row", className: "name" }, again),
    make("td", { className: "detail" }, row.id),
    make("td", { className: "score" }, short(row.score), bar),
    make("td", { className: "detail" }, short(row.logit)),
    ...(row.head_scores ?? []).map((weight) => headCell(weight, hottest)));
}

/** Shaded by the square root: the row that asks would leave the others pale. */
function headCell(weight, hottest) {
  const cell = make("td", { className: "head", title: short(weight) }, short(weight, 2));
  cell.classList.toggle("minus", weight < 0);
  cell.style.setProperty("--share", Math.sqrt(Math.abs(weight) / hottest));
  return cell;
}

function askBy(id) {
  document.querySelector("input[name=asks][value=query_id]").click();
  byId("query_id").value = id;
  search();
}

async function copy() {
  try {
    await navigator.clipboard.writeText(byId("sql").textContent);
    byId("copy").textContent = "Copied";
    byId("status").textContent = "The SQL is in the clipboard.";
    setTimeout(() => { byId("copy").textContent = "Copy"; }, 1500);
  } catch {
    // no clipboard without a secure address: Ctrl-C does it then
    getSelection().selectAllChildren(byId("sql"));
  }
}

let waiting;
function suggestSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(() => suggest().catch(showError), 200);
}

async function start() {
  byId("form").addEventListener("submit", (event) => { event.preventDefault(); search(); });
  byId("table_name").addEventListener("change", () => chooseTable().catch(showError));
  byId("label").addEventListener("change", suggestSoon);
  byId("query_id").addEventListener("input", suggestSoon);
  byId("attention_type").addEventListener("change", describeMechanism);
  byId("copy").addEventListener("click", copy);
  byId("cancel").addEventListener("click", () => ask("cancel").catch(showError));
  for (const radio of document.querySelectorAll("input[name=asks]")) {
    radio.addEventListener("change", () => {
      byId("by_row").hidden = radio.value !== "query_id";
      byId("by_vector").hidden = radio.value !== "query";
    });
  }
  catalogue = await ask("catalogue");
  fill();
  if (!catalogue.relations.length) {
    throw { message: "no relation here has vectors that you may read", hint: "ruattn demo brings some." };
  }
  byId("search").disabled = false;
  byId("status").textContent = "Choose a table and a query, then search.";
  await chooseTable();
}

start().catch(showError);
