// Places in the stream: "epoch.seq". Within an epoch they are ordered; of two epochs neither comes first.

/** @param {string | null} cursor */
export const epochOf = (cursor) => cursor?.slice(0, cursor.lastIndexOf(".")) ?? null;

/** @param {string | null} cursor */
export const seqOf = (cursor) => (cursor ? Number(cursor.slice(cursor.lastIndexOf(".") + 1)) : 0);

const KEY = "tidings.cursor";

/**
 * The cursor that an earlier page on this origin got to, for what came in between is news to the user.
 * @returns {string | null}
 */
export function recall() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** @param {string} cursor */
export function remember(cursor) {
  try {
    localStorage.setItem(KEY, cursor);
  } catch {
    // Without storage a page begins with its list, and nothing else is lost.
  }
}
