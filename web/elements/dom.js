// Elements made in code. Text is only ever text: nothing here, and nothing that uses it, reads markup from a string.

/**
 * An element with properties and children. `class`, `part`, `role`, `data-*` and `aria-*` are set as attributes, `on` holds listeners.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [properties] null and undefined are left out
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name in element && !/^(aria|data|role|part|class)/.test(name)) /** @type {any} */ (element)[name] = value;
    else element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * A style sheet for shadow roots; such sheets need no exception in a Content-Security-Policy. It is made when the first root adopts it:
 * a server that renders pages loads these modules too, and has none.
 * @param {string} css
 */
export function sheet(css) {
  /** @type {CSSStyleSheet | null} */
  let made = null;
  return () => (made ??= makeSheet(css));
}

/** @param {ShadowRoot} root @param {...(() => CSSStyleSheet)} sheets */
export function adopt(root, ...sheets) {
  root.adoptedStyleSheets = sheets.map((sheet) => sheet());
}

/** @param {string} css */
function makeSheet(css) {
  const made = new CSSStyleSheet();
  made.replaceSync(css);
  return made;
}

/**
 * The address of the image of a notification, if it may be loaded from there: https, or this page's origin.
 * @param {string | null | undefined} imageUrl
 */
export function imageSource(imageUrl) {
  const url = target(imageUrl);
  return url && (url.protocol === "https:" || url.origin === location.origin) ? url.href : null;
}

/** A box for such an image. It is there while it has one, and until that cannot be loaded. @param {string} part */
export function imageBox(part) {
  const image = h("img", { class: "image", part, alt: "", loading: "lazy", referrerPolicy: "no-referrer", hidden: true });
  image.addEventListener("error", () => (image.hidden = true));
  return image;
}

/** @param {HTMLImageElement} image a box @param {string | null | undefined} imageUrl */
export function showImage(image, imageUrl) {
  const source = imageSource(imageUrl);
  if (source === image.getAttribute("src")) return;
  image.hidden = !source;
  if (source) image.src = source;
  else image.removeAttribute("src");
}

/**
 * The address that a click opens, if a notification may lead there: http or https, relative ones on this page's origin.
 * @param {string | null | undefined} actionUrl
 */
export function target(actionUrl) {
  if (!actionUrl) return null;
  try {
    const url = new URL(actionUrl, location.href);
    return /^https?:$/.test(url.protocol) ? url : null;
  } catch {
    return null;
  }
}
