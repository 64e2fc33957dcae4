// The icons of the console; a name that is not here fails the browser tests.

/** Drawn inside Momentum's own components. */
export const componentIcons = [
  'check-bold', 'cancel-bold', 'warning-badge-filled', 'error-legacy-badge-filled',
  'check-circle-badge-filled', 'info-badge-filled', 'priority-badge-filled', 'arrow-up-bold',
  'arrow-down-bold', 'arrow-left-bold', 'arrow-right-bold', 'arrow-left-regular',
  'arrow-right-regular', 'search-bold', 'user-regular', 'info-circle-bold', 'minus-bold',
  'warning-bold', 'error-legacy-bold', 'check-circle-bold', 'show-bold', 'hide-bold',
];

/** Named by the console. The active navigation item asks for the filled form of its icon. */
export const consoleIcons = [
  'apps-regular', 'apps-bold', 'apps-filled', 'brightness-high-regular', 'brightness-regular',
  'check-circle-badge-filled', 'cloud-regular', 'cloud-bold', 'cloud-filled',
  'cloud-upload-regular', 'copy-regular', 'document-regular', 'document-bold', 'document-filled',
  'download-filled', 'download-regular', 'language-regular', 'list-menu-bold', 'more-bold',
  'people-regular', 'people-bold', 'people-filled', 'plus-regular', 'pop-out-regular',
  'secure-lock-regular',
  'server-regular', 'settings-regular', 'settings-bold', 'settings-filled', 'sign-out-regular',
  'warning-badge-filled',
];
