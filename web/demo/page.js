// Parts of the page, by their ids.

/** The address of the server, which may be below a path of its host. */
export const BASE = new URL(".", location.href).href.slice(0, -1);

/**
 * @template {HTMLElement} [Kind=HTMLElement]
 * @param {string} id
 */
export const $ = (id) => /** @type {Kind} */ (document.getElementById(id));

/** Shows a notice. @param {string} title @param {string} [detail] @param {boolean} [isBad] */
export function notify(title, detail = "", isBad = false) {
  $("notice").classList.toggle("bad", isBad);
  $("notice-title").textContent = title;
  $("notice-detail").textContent = detail;
  $("notice").hidden = false;
}

/** @param {unknown} error */
export function report(error) {
  const { title = "Something went wrong", detail = String(error) } = /** @type {any} */ (error);
  notify(title, detail, true);
}

/** Follows a notification, which would open a page of the application. @param {URL} url */
export function follow(url) {
  if (url.origin === location.origin) notify("Your application goes on from here.", `The notification leads to ${url.pathname}.`);
  else open(url, "_blank", "noopener,noreferrer");
}
