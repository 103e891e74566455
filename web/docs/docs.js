// The page at "/docs": renders the description of the API, operation by operation, grouped by tag. A proxy may serve all of it below a path.

import { element, prose, Schemas } from "./schema.js";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];
/** The address of the server, which may be below a path of its host. */
const BASE = new URL(".", location.href).href.slice(0, -1);
const $ = (id) => document.getElementById(id);

async function load() {
  try {
    const answer = await fetch("api/openapi.json", { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    render(await answer.json());
  } catch (error) {
    $("failure").textContent = `The API description could not be shown: ${error.message}`;
    $("failure").hidden = false;
  }
  $("docs").setAttribute("aria-busy", "false");
}

function render(api) {
  const schemas = new Schemas(api);
  const title = api.info?.title ?? "API";
  $("version").textContent = api.info?.version ? `API ${api.info.version}` : "";
  const intro = element("section", "card");
  intro.append(element("h1", "", title), ...prose(api.info?.description));
  $("pages").append(intro);
  for (const [tag, operations] of byTag(api)) {
    const about = api.tags?.find(({ name }) => name === tag);
    const heading = element("h2", "tag", tag);
    const links = element("ul");
    $("pages").append(heading, ...prose(about?.description));
    $("index").append(element("h2", "", tag), links);
    for (const operation of operations) {
      const shown = describe(operation, api, schemas);
      $("pages").append(shown);
      links.append(indexLine(operation, shown));
    }
  }
  // The target of a link from elsewhere exists only now.
  if (location.hash.length > 1) $(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

/** Operations under their first tag: tags in the order of the document, then those that it does not list. */
function byTag(api) {
  const groups = new Map((api.tags ?? []).map(({ name }) => [name, []]));
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const method of METHODS) {
      if (!item[method]) continue;
      const tag = item[method].tags?.[0] ?? "other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push({ path, method, shared: item.parameters ?? [], ...item[method] });
    }
  }
  return [...groups].filter(([, operations]) => operations.length > 0);
}

function describe(operation, api, schemas) {
  const { method, path } = operation;
  const section = element("section", "card operation");
  section.id = anchor(operation);
  const heading = element("h3");
  heading.append(element("span", `method ${method}`, method), element("code", "", path));
  if (operation.deprecated) heading.append(element("span", "hint", "deprecated"));
  section.append(heading);
  if (operation.summary) section.append(element("p", "summary", operation.summary));
  section.append(...prose(operation.description));

  const parameters = parametersOf(operation, schemas);
  if (parameters.length > 0) {
    const list = element("ul", "fields");
    for (const { name, schema, required, in: where, description } of parameters) {
      list.append(schemas.field(name, schema ?? {}, { required, where, description }));
    }
    section.append(element("h4", "", "Parameters"), list);
  }

  const body = operation.requestBody ? schemas.resolve(operation.requestBody) : null;
  for (const [type, media] of Object.entries(body?.content ?? {})) {
    section.append(element("h4", "", `Body: ${type}${body.required ? "" : " (optional)"}`), ...prose(body.description), ...content(media, schemas));
  }

  section.append(element("h4", "", "Answers"));
  for (const [status, answer] of Object.entries(operation.responses ?? {})) section.append(describeAnswer(status, schemas.resolve(answer), schemas));
  section.append(element("h4", "", "Try it"), sample(curl(operation, parameters, body, api, schemas), true));
  return section;
}

function parametersOf(operation, schemas) {
  const own = (operation.parameters ?? []).map((each) => schemas.resolve(each));
  const shared = operation.shared.map((each) => schemas.resolve(each));
  return [...shared.filter((each) => !own.some(({ name, in: where }) => name === each.name && where === each.in)), ...own];
}

function describeAnswer(status, answer, schemas) {
  const details = element("details", "answer");
  const summary = element("summary");
  const first = status[0];
  const tone = first === "2" ? " good" : first === "4" || first === "5" ? " bad" : "";
  summary.append(element("span", `status${tone}`, status), " ", answer.description ?? "");
  details.append(summary);
  details.open = first === "2";
  const headers = Object.entries(answer.headers ?? {});
  if (headers.length > 0) {
    const list = element("ul", "fields");
    for (const [name, header] of headers) {
      const { schema, description } = schemas.resolve(header);
      list.append(schemas.field(name, schema ?? {}, { where: "header", description }));
    }
    details.append(list);
  }
  for (const [type, media] of Object.entries(answer.content ?? {})) details.append(element("p", "hint", type), ...content(media, schemas));
  return details;
}

/** The fields of a body and its examples. */
function content(media, schemas) {
  const parts = [];
  if (media.schema) {
    const schema = schemas.flat(media.schema);
    const fields = schemas.fields(media.schema);
    if (!fields || schema.type === "array") parts.push(element("p", "hint", schemas.typeName(media.schema)));
    if (fields) parts.push(fields);
  }
  const named = Object.entries(media.examples ?? {}).map(([name, each]) => [name, schemas.resolve(each)]);
  for (const [name, each] of named) parts.push(element("p", "hint", each.summary ?? name), sample(pretty(each.value)));
  if (named.length === 0) {
    const made = exampleOf(media, schemas);
    if (made !== undefined) parts.push(sample(pretty(made)));
  }
  return parts;
}

function exampleOf(media, schemas) {
  if (media.example !== undefined) return media.example;
  const [named] = Object.values(media.examples ?? {});
  if (named) return schemas.resolve(named).value;
  return media.schema ? schemas.example(media.schema) : undefined;
}

function curl({ method, path, security }, parameters, body, api, schemas) {
  const value = ({ example, examples, schema, name }) => {
    const [named] = Object.values(examples ?? {});
    const found = example ?? (named && schemas.resolve(named).value) ?? schemas.example(schema ?? {});
    return encodeURIComponent(found === "text" ? name : String(found));
  };
  let target = path;
  for (const each of parameters.filter((one) => one.in === "path")) target = target.replace(`{${each.name}}`, () => value(each));
  const query = parameters.filter((one) => one.in === "query" && one.required).map((each) => `${encodeURIComponent(each.name)}=${value(each)}`);
  const url = BASE + target + (query.length > 0 ? `?${query.join("&")}` : "");
  const streams = Object.values(api.paths[path][method].responses ?? {}).some((answer) => schemas.resolve(answer).content?.["text/event-stream"]);
  const words = ["curl", streams ? "-N" : "-sS"];
  if (method !== "get") words.push("-X", method.toUpperCase());
  words.push(quote(url));
  const lines = [words.join(" ")];
  const needed = security ?? api.security ?? [];
  if (needed.some((each) => Object.keys(each).length > 0)) lines.push('-H "Authorization: Bearer $TOKEN"');
  const [type, media] = Object.entries(body?.content ?? {})[0] ?? [];
  if (type) {
    const example = exampleOf(media, schemas);
    lines.push(`-H ${quote(`Content-Type: ${type}`)}`, `-d ${quote(typeof example === "string" ? example : JSON.stringify(example ?? {}))}`);
  }
  return lines.join(" \\\n  ");
}

function sample(text, copies = false) {
  const box = element("div", "sample");
  const block = element("pre", "", text);
  block.tabIndex = 0;
  box.append(block);
  // The clipboard exists in secure contexts only.
  if (copies && navigator.clipboard) {
    const button = element("button", "", "Copy");
    button.type = "button";
    button.addEventListener("click", async () => {
      button.textContent = await navigator.clipboard.writeText(text).then(() => "Copied", () => "Failed");
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
    box.classList.add("copies");
    box.append(button);
  }
  return box;
}

function indexLine(operation, shown) {
  const line = element("li");
  const link = element("a");
  link.href = `#${encodeURIComponent(shown.id)}`;
  link.append(element("span", `method ${operation.method}`, operation.method), element("span", "", operation.path));
  line.dataset.text = `${operation.method} ${operation.path} ${operation.summary ?? ""}`.toLowerCase();
  line.append(link);
  return line;
}

function filter() {
  const wanted = $("filter").value.trim().toLowerCase();
  for (const list of $("index").querySelectorAll("ul")) {
    let left = 0;
    for (const line of list.children) {
      line.hidden = !line.dataset.text.includes(wanted);
      left += line.hidden ? 0 : 1;
    }
    list.hidden = list.previousElementSibling.hidden = left === 0;
  }
}

function anchor({ operationId, method, path }) {
  return operationId ?? `${method}-${path.replace(/[^A-Za-z0-9]+/g, "-")}`;
}

function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** A word for a POSIX shell. */
function quote(text) {
  return `'${String(text).replaceAll("'", "'\\''")}'`;
}

$("filter").addEventListener("input", filter);
load();
