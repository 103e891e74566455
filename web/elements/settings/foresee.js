// The settings after a change, before the server has answered.

/** @typedef {import("./draft.js").Document} Document */

/**
 * @param {Document} document
 * @param {any} patch
 * @returns {Document}
 */
export function foresee(document, patch) {
  const next = /** @type {Document} */ (merged(document, patch));
  for (const [category, choices] of Object.entries(patch.categories ?? {})) {
    for (const [channel, on] of Object.entries(choices)) chooseForCategory(next, patch, category, channel, on);
  }
  for (const [kind, choices] of Object.entries(patch.kinds ?? {})) {
    for (const [channel, on] of Object.entries(choices)) {
      if (on !== null) next.inForce.kinds[kind].channels[channel] = { on, cause: "kindPreference" };
    }
  }
  return next;
}

/** @param {Document} next @param {any} patch @param {string} category @param {string} channel @param {boolean} on */
function chooseForCategory(next, patch, category, channel, on) {
  const standing = { on, cause: "categoryPreference" };
  next.inForce.categories[category][channel] = standing;
  for (const [name, { category: its, channels }] of Object.entries(next.inForce.kinds)) {
    const { cause } = channels[channel];
    const hasOwn = cause === "kindPreference" && patch.kinds?.[name]?.[channel] !== null;
    if (its === category && cause !== "mandatory" && !hasOwn) channels[channel] = standing;
  }
}

/** A merge patch (RFC 7396), applied to a copy. @param {any} target @param {any} patch */
function merged(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result = target !== null && typeof target === "object" ? structuredClone(target) : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}
