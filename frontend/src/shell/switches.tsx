// The switches for language and theme, on the sign-in page and in the header.
import { useQueryClient } from '@tanstack/react-query';
import { use } from 'react';
import { useTranslation } from 'react-i18next';
import { chooseLanguage } from '../i18n';
import { Button } from '../mdc';
import { useLanguage } from '../ui/parts';
import { ThemeContext } from './theme';

export function LanguageSwitch() {
  const { t } = useTranslation();
  const language = useLanguage();
  const queries = useQueryClient();
  const other = language === 'en' ? 'ja' : 'en';
  const onClick = () => {
    chooseLanguage(other);
    // the hub's sentences come in the language that was asked for
    void queries.invalidateQueries();
  };
  return (
    <Button variant="tertiary" size={32} prefixIcon="language-regular" onClick={onClick}
      aria-label={t('shell.language')} lang={other}>
      {t('shell.languageName')}
    </Button>
  );
}

export function ThemeSwitch() {
  const { t } = useTranslation();
  const { theme, choose } = use(ThemeContext);
  const dark = theme === 'dark';
  return (
    <Button variant="tertiary" size={32} onClick={() => choose(dark ? 'light' : 'dark')}
      prefixIcon={dark ? 'brightness-high-regular' : 'brightness-regular'}
      aria-label={dark ? t('shell.light') : t('shell.dark')} />
  );
}
