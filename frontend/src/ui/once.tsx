// What the hub shows only once: to be copied or kept as a file before the dialog is closed.
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Button, Dialog } from '../mdc';

interface OnceProps {
  title: string;
  text: string;
  /** One secret, or several that belong together. */
  values: string[];
  /** The name of the file, where keeping it as one makes sense. */
  file?: string;
  onClose: () => void;
}

/** A dialog around something that cannot be shown again. */
export function OnceDialog({ title, text, values, file, onClose }: OnceProps) {
  const { t } = useTranslation();
  return (
    <Dialog visible size="medium" headerText={title} descriptionText={text} aria-label={title}
      closeButtonAriaLabel={t('close')} onClose={onClose}>
      <div slot="dialog-body" className="stack">
        <ul className={values.length > 1 ? 'secrets many' : 'secrets'} aria-label={title}>
          {values.map((value) => <li key={value}><code className="secret">{value}</code></li>)}
        </ul>
        <div className="actions">
          <CopyButton text={values.join('\n')} />
          {file && (
            <Button variant="secondary" size={32} prefixIcon="download-regular"
              onClick={() => saveFile(file, new Blob([`${values.join('\n')}\n`]))}>
              {t('once.download')}
            </Button>
          )}
        </div>
      </div>
      <Button slot="footer-button-primary" onClick={onClose}>{t('once.done')}</Button>
    </Dialog>
  );
}

type Copied = 'no' | 'yes' | 'failed';

/** Copies a text, and says whether that worked: a browser may refuse. */
export function CopyButton({ text }: { text: string }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState<Copied>('no');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied('yes');
    } catch {
      setCopied('failed');
    }
  };
  return (
    <>
      <Button variant="secondary" size={32} prefixIcon="copy-regular" onClick={() => void copy()}>
        {t('once.copy')}
      </Button>
      <span role="status" className="muted">
        {copied === 'yes' && t('once.copied')}
        {copied === 'failed' && t('once.notCopied')}
      </span>
    </>
  );
}

/** Lets the browser keep something as a file. */
export function saveFile(name: string, content: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
