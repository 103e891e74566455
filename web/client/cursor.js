// Positions in the stream: "epoch.seq". Within an epoch they are ordered; of two epochs neither comes first.

/** @param {string | null} cursor */
export const epochOf = (cursor) => cursor?.slice(0, cursor.lastIndexOf(".")) ?? null;

/** @param {string | null} cursor */
export const seqOf = (cursor) => (cursor ? Number(cursor.slice(cursor.lastIndexOf(".") + 1)) : 0);

/**
 * The last cursor of an earlier page on this origin: later changes are news to the user.
 * @param {string} name of the stream
 * @returns {string | null}
 */
export function recall(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** @param {string} name @param {string} cursor */
export function remember(name, cursor) {
  try {
    localStorage.setItem(name, cursor);
  } catch {
    // Without storage a page begins with its list, and loses nothing more.
  }
}
