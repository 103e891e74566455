// Reads JSON Schema as OpenAPI 3.1 uses it: names types, lists fields, makes examples. Makes no HTML of its own
// beyond the field lists, and puts text in by textContent only.

const DEEPEST = 6;
const LIMITS = {
  format: "format", default: "default", const: "always", minLength: "min length", maxLength: "max length", pattern: "pattern",
  minimum: "min", maximum: "max", exclusiveMinimum: "above", exclusiveMaximum: "below", multipleOf: "multiple of",
  minItems: "min items", maxItems: "max items", uniqueItems: "unique items", minProperties: "min fields", maxProperties: "max fields",
};
const STRINGS = {
  "date-time": "2026-01-31T09:30:00Z", date: "2026-01-31", time: "09:30:00Z", uuid: "01975b3e-9f3c-7cc1-8b1a-2f6f5d1c9a10",
  uri: "https://example.com/", email: "user@example.com",
};

export class Schemas {
  #document;

  constructor(document) {
    this.#document = document;
  }

  /** Follows `$ref` inside the document, a few steps at most; unknown targets read as an empty object. */
  resolve(node) {
    let found = node ?? {};
    for (let step = 0; step < 8 && typeof found?.$ref === "string"; step += 1) {
      const { $ref, ...beside } = found;
      const target = $ref.startsWith("#/") ? this.#at($ref.slice(2)) : undefined;
      found = { ...(target ?? {}), ...beside };
    }
    return found ?? {};
  }

  #at(pointer) {
    const steps = pointer.split("/").map((step) => decodeURIComponent(step).replace(/~1/g, "/").replace(/~0/g, "~"));
    return steps.reduce((node, step) => (node && Object.hasOwn(node, step) ? node[step] : undefined), this.#document);
  }

  /** One schema with `allOf` folded in and the "or null" of `oneOf`/`anyOf`/type lists kept apart. */
  flat(node) {
    let schema = { ...this.resolve(node) };
    for (const part of schema.allOf ?? []) {
      const inner = this.flat(part);
      schema = {
        ...inner, ...schema,
        properties: { ...inner.properties, ...schema.properties },
        required: [...(inner.required ?? []), ...(schema.required ?? [])],
      };
    }
    delete schema.allOf;
    const choices = schema.oneOf ?? schema.anyOf;
    if (choices) {
      const real = choices.filter((choice) => choice.type !== "null");
      schema.nullable = real.length < choices.length;
      schema.choices = real;
      if (real.length === 1) {
        const only = { ...this.flat(real[0]), ...(schema.description ? { description: schema.description } : {}) };
        return { ...only, name: refName(real[0]) ?? only.name, nullable: schema.nullable || only.nullable };
      }
    }
    if (Array.isArray(schema.type)) {
      schema.nullable = schema.type.includes("null");
      const real = schema.type.filter((type) => type !== "null");
      schema.type = real.length === 1 ? real[0] : real;
    }
    schema.name = refName(node) ?? schema.name;
    return schema;
  }

  typeName(node) {
    const schema = this.flat(node);
    return this.#bareName(schema) + (schema.nullable ? " or null" : "");
  }

  #bareName(schema) {
    if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
    if (schema.type === "array") return `array of ${schema.items ? this.typeName(schema.items) : "any"}`;
    if (schema.choices) return schema.choices.map((choice) => this.typeName(choice)).join(" | ");
    if (schema.name) return schema.name;
    if (schema.properties) return "object";
    if (schema.type === "object" && typeof schema.additionalProperties === "object") return `map of ${this.typeName(schema.additionalProperties)}`;
    if (Array.isArray(schema.type)) return schema.type.join(" | ");
    return schema.type ?? "any";
  }

  /** A nested list of the fields under a schema; null when there are none. A type inside itself is named, not opened. */
  fields(node, trail = []) {
    const schema = this.flat(node);
    if (trail.length > DEEPEST || this.#inside(schema, trail)) return null;
    const inner = [...trail, schema.name ?? ""];
    if (schema.type === "array" && schema.items) return this.fields(schema.items, inner);
    if (schema.choices) return this.#choices(schema, inner);
    if (!schema.properties) {
      const values = schema.additionalProperties;
      return values !== null && typeof values === "object" ? this.fields(values, inner) : null;
    }
    const names = Object.keys(schema.properties);
    if (names.length === 0) return null;
    const list = element("ul", "fields");
    for (const name of names) list.append(this.field(name, schema.properties[name], { required: schema.required?.includes(name), trail: inner }));
    return list;
  }

  #choices(schema, trail) {
    const list = element("ul", "fields");
    for (const choice of schema.choices) {
      const nested = this.fields(choice, trail);
      if (!nested) continue;
      const row = element("li");
      row.append(element("span", "type", this.typeName(choice)), nested);
      list.append(row);
    }
    return list.children.length > 0 ? list : null;
  }

  /** One row: name, type, whether it must be there, its limits and its meaning; then its fields. */
  field(name, node, { required = false, where = "", description, trail = [] } = {}) {
    const schema = this.flat(node);
    const row = element("li");
    row.append(element("span", "name", name), " ", element("span", "type", this.typeName(node)));
    if (required) row.append(" ", element("span", "must", "required"));
    if (where) row.append(" ", element("span", "where", where));
    const limits = Object.entries(LIMITS).filter(([key]) => schema[key] !== undefined && schema[key] !== false)
      .map(([key, label]) => (schema[key] === true ? label : `${label} ${plain(schema[key])}`));
    if (schema.deprecated) limits.push("deprecated");
    if (limits.length > 0) row.append(" ", element("span", "limits", limits.join(", ")));
    row.append(...prose(description ?? schema.description));
    const nested = this.fields(node, trail);
    if (nested) row.append(nested);
    return row;
  }

  /** An example: the schema's own if it names one, otherwise made up from its types. */
  example(node, trail = []) {
    const schema = this.flat(node);
    const given = [schema.example, schema.examples?.[0], schema.default, schema.const, schema.enum?.[0]].find((value) => value !== undefined && value !== null);
    if (given !== undefined) return given;
    if (trail.length > DEEPEST || this.#inside(schema, trail)) return null;
    const inner = [...trail, schema.name ?? ""];
    if (schema.choices) return this.example(schema.choices[0], inner);
    if (schema.properties) {
      return Object.fromEntries(Object.entries(schema.properties).map(([name, each]) => [name, this.example(each, inner)]));
    }
    const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
    if (type === "array") return !schema.items || this.#inside(this.flat(schema.items), inner) ? [] : [this.example(schema.items, inner)];
    if (type === "string") return STRINGS[schema.format] ?? "text";
    if (type === "integer" || type === "number") return schema.minimum ?? 1;
    if (type === "boolean") return true;
    return type === "null" ? null : {};
  }

  #inside(schema, trail) {
    return schema.name !== undefined && trail.includes(schema.name);
  }
}

export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

/** Paragraphs of a description, with `code` set as code; no other markup is read. */
export function prose(text) {
  if (typeof text !== "string" || !text.trim()) return [];
  return text.trim().split(/\n\s*\n/).map((paragraph) => {
    const made = element("p", "prose");
    paragraph.split("`").forEach((piece, index) => made.append(index % 2 === 1 ? element("code", "", piece) : piece));
    return made;
  });
}

function refName(node) {
  return typeof node?.$ref === "string" ? node.$ref.slice(node.$ref.lastIndexOf("/") + 1) : undefined;
}

function plain(value) {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
