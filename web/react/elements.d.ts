// The elements in JSX. React gives them properties and listens to their events from its version 19 on.

import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { Client } from "../client/index.js";
import type { Bell } from "../elements/bell.js";
import type { OpenItemEvent, ToggleBellEvent } from "../elements/globals.js";
import type { TidingsSettings } from "../elements/settings.js";
import type { TidingsToasts } from "../elements/toasts.js";

export type ElementProperties<Element> = DetailedHTMLProps<HTMLAttributes<Element>, Element> & {
  client?: Client | null;
  "ontidings-open-item"?: (event: OpenItemEvent) => void;
};

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "tidings-bell": ElementProperties<Bell> & { "time-zone"?: string; "ontidings-toggle"?: (event: ToggleBellEvent) => void };
      "tidings-settings": ElementProperties<TidingsSettings>;
      "tidings-toasts": ElementProperties<TidingsToasts> & {
        placement?: string;
        max?: number;
        shortcut?: string;
        durations?: TidingsToasts["durations"];
      };
    }
  }
}
