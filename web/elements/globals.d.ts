// The types of the elements in a page's TypeScript once one of them is imported: their names and their events.
// JSDoc cannot say this, so it is written by hand, and copied into the package beside the generated files.

import type { Item } from "../client/types.js";
import type { Bell } from "./bell.js";
import type { TidingsSettings } from "./settings.js";
import type { TidingsToasts } from "./toasts.js";

/** An item is opened; a listener that prevents the default navigates to `url` by itself. */
export type OpenItemEvent = CustomEvent<{ item: Item; url: string | null }>;
export type ToggleBellEvent = CustomEvent<{ open: boolean }>;

declare global {
  interface HTMLElementTagNameMap {
    "tidings-bell": Bell;
    "tidings-settings": TidingsSettings;
    "tidings-toasts": TidingsToasts;
  }
  // They bubble: elements, the document and the window receive them.
  interface GlobalEventHandlersEventMap {
    "tidings-open-item": OpenItemEvent;
    "tidings-toggle": ToggleBellEvent;
  }
}
