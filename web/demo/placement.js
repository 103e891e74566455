// The position of toasts on this page: over the end of the event log, and few if there is little room.

import { $ } from "./page.js";

/** The log is in the middle of three columns, or in the right one of two. */
const wide = matchMedia("(min-width: 70rem)");

export function placeToasts() {
  place();
  wide.addEventListener("change", place);
}

function place() {
  $("toasts").setAttribute("placement", wide.matches ? "bottom" : "bottom-right");
  $("toasts").setAttribute("max", wide.matches ? "2" : "1");
}
