// English.

export const en = {
  bell: {},
  toasts: {},
  settings: {},
};
