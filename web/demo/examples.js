// The examples of the publisher. Each example makes a fresh body: times count from now, keys are new.

/**
 * @typedef {object} Example
 * @property {string} name
 * @property {string} shows its effect
 * @property {(user: string, now: number) => Record<string, any>} body `now`: the server's time
 */

const PEOPLE = [
  { name: "Ada Winter", number: "+49 30 555 0142" },
  { name: "Tomás Rey", number: "+34 91 555 0187" },
  { name: "Mei Tanaka", number: "+81 3 5550 0119" },
  { name: "Noor Haddad", number: "+44 20 5550 0163" },
  { name: "Liv Berg", number: "+47 22 55 01 28" },
];
const COMPANIES = ["Northwind Bakery", "Harbour Clinic", "Lindqvist & Sons", "Blue Door Hotel"];

/** A ticket of this page: its notifications become one item. */
const TICKET = number(1000, 9999);

/** @type {Example[]} */
export const EXAMPLES = [
  {
    name: "Payment received",
    shows: "An idempotency key: the same request twice is stored once.",
    body(user) {
      const [invoice, amount] = [number(1000, 9999), number(80, 2400)];
      return {
        users: [user],
        kind: "payment_received",
        title: "Payment received",
        message: `${amount}.00 EUR from ${next(COMPANIES)}`,
        data: { invoice, amount, currency: "EUR" },
        actionUrl: `/payments/${invoice}`,
        idempotencyKey: `invoice-${invoice}-${crypto.randomUUID().slice(0, 8)}`,
      };
    },
  },
  {
    name: "Escalation",
    shows: "Critical by its kind: the toast stays until somebody acts.",
    body(user) {
      const contact = next(PEOPLE);
      return {
        users: [user],
        kind: "call_escalation",
        title: `${contact.name} asks for a supervisor`,
        message: "Waiting for 12 minutes, third call today",
        data: { contact },
        actionUrl: `/calls/${number(100, 999)}`,
      };
    },
  },
  {
    name: "Overdue callback",
    shows: "Due two hours ago: red, until it is acknowledged or done.",
    body: (user, now) => callback(user, now, -2 * 3600),
  },
  {
    name: "Due callback",
    shows: "Due in half an hour, with a reminder ten minutes before and a step after.",
    body: (user, now) => ({ ...callback(user, now, 1800), remindBefore: [600], escalation: [{ after: 900, priority: "critical" }] }),
  },
  {
    name: "Missed call",
    shows: "Matters for four hours, then no more.",
    body(user) {
      const contact = next(PEOPLE);
      return {
        users: [user],
        kind: "missed_call",
        title: `Missed call from ${contact.name}`,
        message: `${contact.number}, rang for 24 s`,
        data: { contact },
        actionUrl: "/calls/new",
      };
    },
  },
  {
    name: "Ticket assigned",
    shows: "The kind gives it category, priority, icon and the button's words.",
    body(user) {
      const ticket = number(1000, 9999);
      return {
        users: [user],
        kind: "ticket:assigned",
        title: `Ticket ${ticket} is yours`,
        message: `${next(COMPANIES)}: invoices do not arrive`,
        data: { ticket },
        actionUrl: `/tickets/${ticket}`,
      };
    },
  },
  {
    name: "Reply on a thread",
    shows: "Publish it again: one item, back on top, that counts its replies.",
    body: (user) => ({
      users: [user],
      kind: "ticket:updated",
      title: `New reply on ticket ${TICKET}`,
      message: `${next(PEOPLE).name}: “Tuesday works for us.”`,
      threadKey: `ticket-${TICKET}`,
      actionUrl: `/tickets/${TICKET}`,
    }),
  },
  {
    name: "In ten seconds",
    shows: "Scheduled: it waits on the server, whichever instances come and go.",
    body: (user, now) => ({
      users: [user],
      kind: "agent_alert",
      title: "Your shift ends soon",
      message: "Hand over what is open",
      deliverAt: inSeconds(now, 10),
    }),
  },
];

/** @param {string} user @param {number} now @param {number} seconds from now until it is due */
function callback(user, now, seconds) {
  const contact = next(PEOPLE);
  return {
    users: [user],
    kind: "callback_due",
    title: `Call ${contact.name} back`,
    message: contact.number,
    data: { contact, campaign: "Spring renewals" },
    actionUrl: "/calls/new",
    dueAt: inSeconds(now, seconds),
  };
}

/** @param {number} now @param {number} seconds */
const inSeconds = (now, seconds) => new Date(now + seconds * 1000).toISOString();

/** @param {number} least @param {number} most */
function number(least, most) {
  return least + Math.floor(Math.random() * (most - least + 1));
}

/** One after the other. @template Choice @param {Choice[]} choices */
function next(choices) {
  const [first] = choices.splice(0, 1);
  choices.push(first);
  return first;
}
