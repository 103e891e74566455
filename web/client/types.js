// The shapes that applications see. No code: only types are imported from here.

/** @typedef {"low" | "medium" | "high" | "critical"} Priority */

/** @typedef {"due" | "overdue" | "acknowledged" | "done" | "cancelled"} DueState */

/**
 * A notification with its user's state, as the API shows it. Times are RFC 3339.
 * @typedef {object} Item
 * @property {string} id
 * @property {number} seq its order in the inbox: the greatest is on top
 * @property {string} kind
 * @property {string | null} category
 * @property {Priority} priority
 * @property {string} title plain text
 * @property {string | null} message plain text
 * @property {any} data data of the publisher
 * @property {string | null} actionUrl
 * @property {string} [imageUrl]
 * @property {"direct" | "topic" | "everyone" | "rule"} reason
 * @property {string} [topic]
 * @property {string[]} channels of inbox, toast, browser, push, email, sms
 * @property {string} [icon]
 * @property {string} [actionLabel]
 * @property {string} [sound]
 * @property {string} createdAt
 * @property {string} expiresAt
 * @property {string | null} readAt
 * @property {string | null} archivedAt
 * @property {string | null} seenAt
 * @property {string} [snoozedUntil]
 * @property {string} [dueAt]
 * @property {DueState} [dueState]
 * @property {string} [dueBy]
 * @property {string} [threadKey]
 * @property {number} [count] how many notifications became this item
 */

/** @typedef {"connecting" | "live" | "catchingUp" | "offline" | "expired"} Connection */

/**
 * What the list shows. Nothing named: everything.
 * @typedef {object} Filter
 * @property {boolean} [unreadOnly]
 * @property {string} [category]
 * @property {Priority} [priority]
 * @property {string} [kind]
 * @property {string} [q] words of title or message
 */

/**
 * The state to show. It is never mutated: another state is another object.
 * @typedef {object} State
 * @property {readonly Item[]} items newest first, without archived and snoozed ones
 * @property {number} unread the server's count of all unread items, with the pending actions of this page
 * @property {Connection} connection
 * @property {number | null} retryAt while offline, or expired with a source of tokens: the time of the next attempt, in ms since 1970 by the clock of this computer
 * @property {boolean} loading whether the first page is on its way
 * @property {boolean} hasMore whether `loadMore` finds older items
 * @property {Filter} filter
 * @property {string | null} cursor the position in the stream that the items show
 * @property {Problem | null} problem why there is no list or no connection
 */

/**
 * One event of the stream; `id` is the cursor after it.
 * @typedef {object} Frame
 * @property {string} name
 * @property {string | null} id
 * @property {any} data
 */

/**
 * One change of the log: all its events, and the cursors before and after it.
 * @typedef {object} Change
 * @property {string} from
 * @property {string} to
 * @property {Frame[]} events
 * @property {boolean} missed whether it happened while there was no connection
 */

/**
 * How the connection to the server does.
 * @typedef {object} Status
 * @property {Connection} connection
 * @property {number | null} retryAt
 * @property {Problem | null} problem
 */

/**
 * The events of `on` by name, with the values for listeners.
 * @typedef {object} Events
 * @property {{item: Item, missed: boolean}} notification it arrived; `missed`: while there was no connection
 * @property {any} state items were changed, as the stream says it
 * @property {any} subscription a subscription of the user was changed
 * @property {any} settings the user's settings were changed: fetch them again
 * @property {{topic?: string, kind: string, key: string, data: any}} signal
 * @property {Status} connection
 * @property {{items: Item[]}} caughtUp the missed changes have arrived
 * @property {{reason: string}} reset the missed changes cannot be replayed: the list was loaded again
 * @property {Frame} frame every event of the stream as it came, in the tab that holds the connection
 * @property {any} expiring the token ends within a minute, and there is no `getToken`
 * @property {Problem} problem an action was refused and taken back, or the list could not be loaded
 */

/**
 * One of `token`, `getToken` and `ticket` authenticates the caller; without any, the cookie does.
 * @typedef {object} Options
 * @property {string} [url] the address of the server; the page's own origin when absent
 * @property {string} [token]
 * @property {() => string | Promise<string>} [getToken] asked for a fresh token at every (re)connect and when one is refused; if it
 *   throws, has nothing or takes longer than 15 s it is asked again later
 * @property {() => string | Promise<string>} [ticket] asked for a one-time ticket at every (re)connect; the cookie authenticates other calls
 * @property {"auto" | "sse" | "websocket" | "polling"} [transport] `auto`: Server-Sent Events, and polling if those do not get through
 * @property {string[]} [kinds] events only for notifications and signals of these kinds; the list has all
 * @property {Priority} [minPriority] events only for notifications of at least this priority; the list has all
 * @property {Filter} [filter] the first filter of the list
 * @property {number} [pageSize] items of a page, 1 to 100; 30 when absent
 * @property {boolean} [shareConnection] one connection for all tabs of the origin; true when absent
 * @property {number} [helloTimeoutMs] how long a stream may say nothing before it counts as buffered; 5000 when absent
 */

/** @typedef {import("./api.js").Problem} Problem */

export {};
