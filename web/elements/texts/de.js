// German.

export const de = {
  bell: {},
  toasts: {},
  settings: {},
};
