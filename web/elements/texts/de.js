// German.

export const de = {
  bell: {},
  toasts: {
    region: "Neue Benachrichtigungen ({key})",
    priorities: { low: "Niedrig", medium: "Benachrichtigung", high: "Hoch", critical: "Kritisch" },
    open: "Öffnen",
    markRead: "Als gelesen markieren",
    close: "Schließen: {title}",
    closeAll: "Alle schließen",
    more: { one: "{n} weitere", other: "{n} weitere" },
    fewer: "Weniger anzeigen",
    missed: { one: "{n} Benachrichtigung, während Sie weg waren", other: "{n} Benachrichtigungen, während Sie weg waren" },
    showAll: "Alle anzeigen",
    muteSound: "Ton aus",
    askTitle: "Wichtiges auch erfahren, wenn diese Seite im Hintergrund ist?",
    askMessage: "Ihr Browser kann wichtige und kritische Benachrichtigungen auf dem Bildschirm anzeigen.",
    askAllow: "Erlauben",
    askLater: "Nicht jetzt",
  },
  settings: {},
};
