// English.

export const en = {
  bell: {},
  toasts: {
    region: "New notifications ({key})",
    priorities: { low: "Low", medium: "Notification", high: "High", critical: "Critical" },
    open: "Open",
    markRead: "Mark as read",
    close: "Close: {title}",
    closeAll: "Close all",
    more: { one: "{n} more", other: "{n} more" },
    fewer: "Show fewer",
    missed: { one: "{n} notification while you were away", other: "{n} notifications while you were away" },
    showAll: "Show all",
    muteSound: "Mute sound",
    askTitle: "Hear of what is important when this page is in the background?",
    askMessage: "Your browser can show high and critical notifications on your desktop.",
    askAllow: "Allow",
    askLater: "Not now",
  },
  settings: {},
};
