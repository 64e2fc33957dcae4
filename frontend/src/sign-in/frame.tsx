// The frame of what is shown to people who are not signed in.
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon, Text } from '../mdc';
import { LanguageSwitch, ThemeSwitch } from '../shell/switches';

export function Frame({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  return (
    <div className="sign-in">
      <div className="sign-in-top">
        <LanguageSwitch />
        <ThemeSwitch />
      </div>
      <main className="sign-in-card">
        <div className="brand">
          <Icon name="cloud-filled" size={1.75} />
          <Text tagname="span" type="heading-small-bold">{t('product')}</Text>
        </div>
        {children}
      </main>
    </div>
  );
}
