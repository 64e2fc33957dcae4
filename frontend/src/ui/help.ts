// The line below a field: what is wrong with it, otherwise what helps.

export function help(error: string | undefined, otherwise = '') {
  return error ? { helpText: error, helpTextType: 'error' as const }
    : { helpText: otherwise, helpTextType: 'default' as const };
}
