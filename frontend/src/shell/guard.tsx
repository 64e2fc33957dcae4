// The last resort: a screen that cannot be shown says so in words.
import { Component, type ReactNode } from 'react';
import i18n from '../i18n';
import { Button } from '../mdc';
import { H1 } from '../ui/parts';

export class Guard extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <main className="centered">
        <H1>{i18n.t('error.title')}</H1>
        <p>{i18n.t('error.broken')}</p>
        <Button onClick={() => location.reload()}>{i18n.t('error.reload')}</Button>
      </main>
    );
  }
}
