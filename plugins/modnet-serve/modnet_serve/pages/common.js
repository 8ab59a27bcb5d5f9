// What both pages need: elements, and requests that show the token.

const KEY = "modnet-serve-token";

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children; texts are only ever texts. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function trouble(text) {
  byId("trouble").textContent = text;
  byId("trouble").hidden = !text;
}

class NoToken extends Error {}

/** The JSON at an address of this server; an Error has the server's message. */
export async function ask(path, body) {
  const token = sessionStorage.getItem(KEY);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const options = body === undefined ? { headers } : { headers, method: "POST", body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("the server does not answer");
  }
  const text = await response.text();
  if (response.status === 401) throw new NoToken("the server does not know this token");
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Error(`the server answers with status ${response.status}`);
  }
  if (!response.ok) throw new Error(found.error ?? `the server answers with status ${response.status}`);
  return found;
}

/** Runs a page's work once the server knows who asks. */
export async function begin(work) {
  const form = byId("token");
  form.onsubmit = (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, byId("secret").value.trim());
    begin(work);
  };
  try {
    trouble("");
    await work();
    form.hidden = true;
  } catch (error) {
    const shown = sessionStorage.getItem(KEY) !== null;
    if (!(error instanceof NoToken) || shown) trouble(error.message);
    form.hidden = !(error instanceof NoToken);
    if (!form.hidden) byId("secret").focus();
  }
}
