// A row that a person fills in, and its answer. The fields are those of the description of the server.

import { ask, begin, byId, element, trouble } from "./common.js";

const MOST_BARS = 10;
const FEW_LABELS = 30;
const MOST_CHOICES = 200;
let described, model, fields;

begin(async () => {
  described = await ask("openapi.json");
  const names = Object.keys(described.paths).filter((path) => /^\/predict\/[^/]+$/.test(path)).map((path) => path.slice(9));
  byId("model").replaceChildren(...names.map((name) => element("option", { value: name }, name)));
  byId("choice").hidden = names.length < 2;
  byId("model").onchange = () => show(byId("model").value);
  const asked = decodeURIComponent(location.hash.slice(1));
  show(names.includes(asked) ? asked : names[0]);
});

function show(name) {
  model = name;
  byId("model").value = name;
  byId("title").textContent = document.title = `Try ${name}`;
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  const row = described.components.schemas[`${name}.row`];
  const columns = Object.entries(row.properties ?? {}).filter(([, column]) => "x-kind" in column);
  fields = columns.length ? columns.map(([column, schema]) => field(column, schema)) : [arrays(name)];
  byId("fields").replaceChildren(...fields.map((made) => made.box));
  byId("answer").hidden = true;
}

byId("row").onreset = () => setTimeout(() => {
  byId("answer").hidden = true;
  trouble("");
  fields.forEach((made) => made.check?.());
});

byId("row").onsubmit = async (event) => {
  event.preventDefault();
  const button = byId("row").querySelector("button");
  button.disabled = true;
  try {
    const given = fields[0].whole ? fields[0].value() : Object.fromEntries(fields.map((made) => [made.name, made.value()]));
    const found = await ask(`predict/${encodeURIComponent(model)}?report=true`, given);
    trouble("");
    answer(found);
  } catch (error) {
    byId("answer").hidden = true;
    trouble(error.message);
  } finally {
    button.disabled = false;
  }
};

// Fields

function field(name, schema) {
  const optional = schema.type.includes("null");
  const make = { number, date, boolean: choice, category, labels }[schema["x-kind"]] ?? text;
  const made = make(schema, optional);
  const note = element("small", {}, ...(schema.description ? [schema.description] : []));
  const box = element(made.group ? "fieldset" : "label", {}, element(made.group ? "legend" : "span", {}, name), ...made.parts, note);
  const comparable = (value) => ("format" in schema && value !== null ? Date.parse(value) : value);
  const [low, high] = (schema["x-training-range"] ?? []).map(comparable);
  const check = () => {
    const value = comparable(made.value());
    box.classList.toggle("outside", low != null && value !== null && (value < low || value > high));
  };
  if (low != null) {
    made.parts[0].addEventListener("input", check);
    check();
  }
  return { name, box, value: made.value, check };
}

function number(schema, optional) {
  const input = element("input", { type: "number", step: "any", required: !optional, value: schema.default, placeholder: optional ? "not known" : "", inputmode: "decimal" });
  return { parts: [input], value: () => (input.value === "" ? null : Number(input.value)) };
}

function date(schema, optional) {
  const day = schema.format === "date";
  const input = element("input", { type: day ? "date" : "datetime-local", step: day ? null : 1, required: !optional, value: schema.default });
  return { parts: [input], value: () => input.value || null };
}

function choice(schema, optional) {
  const truths = schema["x-kind"] === "boolean";
  const options = schema["x-categories"].map((shown, place) => element("option", { value: place, selected: !truths && shown === schema.default }, shown));
  if (optional) options.push(element("option", { value: "" }, "not known"));
  const select = element("select", {}, ...options);
  const values = truths ? [false, true] : schema["x-categories"];
  return { parts: [select], value: () => (select.value === "" ? null : values[Number(select.value)]) };
}

function category(schema, optional) {
  const few = "enum" in schema || schema["x-categories"].length <= MOST_CHOICES;
  return (few ? choice : suggested)(schema, optional);
}

function suggested(schema, optional) {
  const id = `list-${Math.random().toString(36).slice(2)}`;
  const input = element("input", { list: id, value: schema.default, required: !optional, autocomplete: "off", placeholder: optional ? "not known" : "" });
  const list = element("datalist", { id }, ...schema["x-categories"].map((value) => element("option", { value })));
  return { parts: [input, list], value: () => input.value || null };
}

function labels(schema) {
  const names = schema["x-categories"];
  const join = (chosen) => chosen.join(schema["x-separator"]);
  if (names.length > FEW_LABELS) {
    const input = element("input", { placeholder: join(names.slice(0, 2)) });
    return { parts: [input], value: () => input.value };
  }
  const boxes = names.map((value) => element("input", { type: "checkbox", value }));
  const parts = boxes.map((box) => element("label", { class: "check" }, box, ` ${box.value}`));
  return { group: true, parts, value: () => join(boxes.filter((box) => box.checked).map((box) => box.value)) };
}

function text(schema, optional) {
  const area = element("textarea", { rows: 3, required: !optional });
  return { parts: [area], value: () => area.value || null };
}

function arrays(name) {
  const operation = described.paths[`/predict/${name}`].post;
  const example = operation.requestBody.content["application/json"].examples.row.value;
  const area = element("textarea", { rows: 8, required: true, spellcheck: "false" });
  area.defaultValue = JSON.stringify(example);
  const box = element("label", { class: "wide" }, element("span", {}, "Numbers of one sample, as JSON"), area);
  const value = () => {
    try {
      return JSON.parse(area.value);
    } catch (error) {
      throw new Error(`this is no JSON: ${error.message}`);
    }
  };
  return { box, value, whole: true };
}

// Answers

function answer({ predictions, report }) {
  const record = Array.isArray(predictions) ? predictions[0] : predictions;
  const bars = Object.entries(record).filter(([name]) => /^P\(.*\)$/s.test(name)).map(([name, value]) => [name.slice(2, -1), value]);
  const rest = Object.entries(record).filter(([name]) => !/^P\(.*\)$/s.test(name));
  const parts = rest.map(([name, value]) => element("p", { class: "found" }, element("span", {}, name), element("strong", {}, shown(value))));
  if (bars.length) parts.push(...probabilities(bars));
  const told = report.filter((fault) => fault.kind === "outside" || fault.kind === "replaced");
  if (told.length) {
    parts.push(element("h2", {}, "To be careful with"));
    parts.push(element("ul", {}, ...told.map((fault) => element("li", {}, element("b", {}, fault.column), `: ${fault.message}`))));
  }
  byId("answer").replaceChildren(...parts);
  byId("answer").hidden = false;
  byId("answer").scrollIntoView({ block: "nearest" });
}

function probabilities(bars) {
  bars.sort((a, b) => b[1] - a[1]);
  const row = ([name, value]) => element("li", {}, element("span", {}, name), element("meter", { min: 0, max: 1, value }), element("output", {}, percent(value)));
  const parts = [element("h2", {}, "Probabilities"), element("ul", { class: "bars" }, ...bars.slice(0, MOST_BARS).map(row))];
  if (bars.length > MOST_BARS) {
    const more = element("details", {}, element("summary", {}, `${bars.length - MOST_BARS} more`));
    more.append(element("ul", { class: "bars" }, ...bars.slice(MOST_BARS).map(row)));
    parts.push(more);
  }
  return parts;
}

const percent = (value) => (value > 0 && value < 0.0005 ? "< 0.1 %" : `${(100 * value).toFixed(1)} %`);

function shown(value) {
  if (Array.isArray(value)) return value.map(shown).join(", ");
  if (typeof value === "number") return String(Number(value.toPrecision(6)));
  return value === null ? "none" : String(value);
}
