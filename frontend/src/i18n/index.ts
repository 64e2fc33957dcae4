// The language of the console: the one chosen before, otherwise the browser's.
import i18n from 'i18next';
import { initReactI18next } from 'react-i18next';
import { recall, remember } from '../ui/memory';
import en, { type Messages } from './en';
import ja from './ja';
import { type Language, pick } from './language';

declare module 'i18next' {
  interface CustomTypeOptions {
    resources: { translation: Messages };
  }
}

const wanted = globalThis.navigator?.languages ?? ['en'];

void i18n.use(initReactI18next).init({
  lng: pick(recall('language'), wanted),
  fallbackLng: 'en',
  resources: { en: { translation: en }, ja: { translation: ja } },
  interpolation: { escapeValue: false },
  showSupportNotice: false,
} as Parameters<typeof i18n.init>[0]);

export function chooseLanguage(language: Language): void {
  remember('language', language);
  void i18n.changeLanguage(language);
}

export default i18n;
