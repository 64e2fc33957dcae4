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
  'cloud-regular', 'cloud-bold', 'cloud-filled', 'server-regular', 'plus-regular', 'plus-bold',
  'settings-regular', 'language-regular', 'brightness-regular', 'brightness-high-regular',
  'list-menu-regular', 'list-menu-bold', 'sign-out-regular', 'more-bold', 'refresh-regular',
  'pop-out-regular', 'calendar-month-regular', 'analysis-regular',
  'tools-regular', 'info-circle-regular', 'apps-regular', 'apps-bold', 'apps-filled',
  'cloud-upload-regular', 'recents-regular', 'check-circle-regular', 'warning-regular',
];
