// The description of the server, for people.

import { ask, begin, byId, element } from "./common.js";

begin(async () => {
  const found = await ask("openapi.json");
  byId("title").textContent = document.title = found.info.title;
  const parts = Object.entries(found.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => section(found, path, method, operation)));
  byId("paths").replaceChildren(element("p", {}, found.info.description), ...parts);
});

function section(found, path, method, operation) {
  const body = operation.requestBody?.content["application/json"];
  const parts = [element("p", {}, operation.summary)];
  for (const parameter of operation.parameters ?? []) {
    parts.push(element("p", {}, element("code", {}, `?${parameter.name}=true`), ` ${parameter.description}`));
  }
  if (body) parts.push(...bodyOf(found, path, body));
  const codes = Object.entries(operation.responses).map(([code, response]) =>
    element("li", {}, element("code", {}, code), ` ${response.description}`));
  parts.push(element("details", {}, element("summary", {}, "Answers"), element("ul", {}, ...codes)));
  return element("section", {}, element("h2", {}, element("code", {}, `${method.toUpperCase()} ${path}`)), ...parts);
}

function bodyOf(found, path, body) {
  const schema = resolved(found, resolved(found, body.schema).anyOf?.[0] ?? body.schema);
  const example = body.examples?.row.value ?? schema.examples?.[0];
  const columns = Object.entries(schema.properties ?? {}).filter(([, column]) => "x-kind" in column);
  const parts = [];
  if (columns.length) {
    const head = element("tr", {}, ...["column", "kind", "values", "may be missing"].map((name) => element("th", {}, name)));
    const rows = columns.map(([name, column]) => element("tr", {}, ...[name, column["x-kind"], values(column), column.type.includes("null") ? "yes" : "no"].map((cell) => element("td", {}, cell))));
    parts.push(element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))));
  }
  const text = JSON.stringify(example);
  const address = new URL(`.${path}`, location.href).href;
  parts.push(element("pre", {}, `curl -d '${text.replaceAll("'", "'\\''")}' \\\n  ${address}`));
  return parts;
}

const resolved = (found, schema) => (schema.$ref ? found.components.schemas[schema.$ref.split("/").pop()] : schema);

function values(column) {
  const names = column["x-categories"];
  if (names) return names.slice(0, 12).join(", ") + (names.length > 12 ? `, and ${names.length - 12} more` : "");
  return column.description ?? "";
}
