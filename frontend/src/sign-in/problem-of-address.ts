// What went wrong on the way through an organization's provider, as the address says it.
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import i18n from '../i18n';

/** The code in the address; nothing that could not be one. */
export function problemIn(search: string): string | undefined {
  const code = new URLSearchParams(search).get('problem') ?? '';
  return /^[a-z][a-z_]{1,63}$/.test(code) ? code : undefined;
}

/** A sentence for the code in the address, which is taken out of it. */
export function useProblemOfAddress(): string | undefined {
  const { t } = useTranslation();
  const [code] = useState(() => problemIn(location.search));
  useEffect(() => {
    if (location.search === '') return;
    history.replaceState(history.state, '', location.pathname);
  }, []);
  if (!code) return undefined;
  const known = `signIn.problem.${code}`;
  return i18n.exists(known) ? t(known as 'signIn.problem.unknown') : t('signIn.problem.unknown');
}
