// What a browser calls itself, for people: good enough to recognise one's own.

const browsers: [RegExp, string][] = [
  [/\bEdgA?\//, 'Edge'], [/\bOPR\//, 'Opera'], [/\bFirefox\//, 'Firefox'],
  [/\bHeadlessChrome\//, 'Chrome'], [/\bChrom(e|ium)\//, 'Chrome'], [/\bSafari\//, 'Safari'],
];
const systems: [RegExp, string][] = [
  [/\b(iPhone|iPad)\b/, 'iOS'], [/\bAndroid\b/, 'Android'], [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'], [/\bCrOS\b/, 'ChromeOS'], [/\bLinux\b/, 'Linux'],
];

/** Browser and system by their own names; undefined when neither is known. */
export function browserOf(agent: string): string | undefined {
  const named = (table: [RegExp, string][]) => table.find(([form]) => form.test(agent))?.[1];
  const known = [named(browsers), named(systems)].filter((name) => name !== undefined);
  return known.length > 0 ? known.join(' · ') : undefined;
}
