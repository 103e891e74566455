// The pictures: lines on a field of 24 by 24, drawn by code, in the colour of the text around them.

const HANDSET = "M6 3h3l2 5-2.5 1.8a12 12 0 0 0 5.7 5.7L16 13l5 2v3a2 2 0 0 1-2 2A16 16 0 0 1 4 5a2 2 0 0 1 2-2z";

/** @type {Record<string, string>} */
const shapes = {
  // By the name that an item has as its `icon`.
  wallet: "M4 7a2 2 0 0 1 2-2h11v3M4 7v10a2 2 0 0 0 2 2h14V8H5a1 1 0 0 1-1-1zM16 13.5h.01",
  phone: HANDSET,
  "phone-alert": `${HANDSET}M18 2v5M18 10h.01`,
  "phone-star": `${HANDSET}M18 2l1.2 2.5 2.8.3-2.1 1.9.6 2.8-2.5-1.4-2.5 1.4.6-2.8L14 4.8l2.8-.3z`,
  "phone-missed": `${HANDSET}M15 3l6 6M21 3l-6 6`,
  "phone-clock": `${HANDSET}M18 2a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM18 4v2l1.2 1`,
  alert: "M12 4l9 16H3zM12 10v4M12 17h.01",
  info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5M12 8h.01",
  flag: "M5 21V4M5 4h13l-3 4 3 4H5",
  ticket: "M3 8a1 1 0 0 1 1-1h16a1 1 0 0 1 1 1v2a2 2 0 0 0 0 4v2a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-2a2 2 0 0 0 0-4zM14 7v2M14 11v2M14 15v2",
  chart: "M4 4v16h16M8 16v-4M12 16V8M16 16v-6",
  // Of the notification centre itself.
  bell: "M6 16v-5a6 6 0 0 1 12 0v5l2 2H4l2-2zM10 21h4",
  check: "M5 12.5l4.5 4.5L19 7.5",
  "check-all": "M2 12.5L6.5 17 15 8M11 16l1 1 9.5-9.5",
  circle: "M12 7a5 5 0 1 0 0 10 5 5 0 0 0 0-10z",
  archive: "M4 8v11a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1V8M3 4h18v4H3zM10 12h4",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3 2",
  gear: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM9 15a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  close: "M6 6l12 12M18 6L6 18",
  back: "M15 5l-7 7 7 7",
};

const SVG = "http://www.w3.org/2000/svg";

/** The picture of a name; a bell for a name that is not known. @param {string} [name] */
export function icon(name = "bell") {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", Object.hasOwn(shapes, name) ? shapes[name] : shapes.bell);
  svg.append(path);
  return svg;
}
