// The dialogs: one frame for all, and the one that asks to type a name.
import { type FormEvent, type ReactNode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Explanation } from '../api/problem';
import { Button, Dialog, Input } from '../mdc';
import { Failure } from './parts';

interface ModalProps {
  title: string;
  text?: string;
  /** What the button says; without it there is none, and the content has its own. */
  submit?: string;
  danger?: boolean;
  busy?: boolean;
  blocked?: boolean;
  failure?: Explanation | null;
  size?: 'small' | 'medium' | 'large';
  /** A name for the styles and for the ones who look for it. */
  className?: string;
  /** What the button that only closes is called; Cancel otherwise. */
  closes?: string;
  /** What stands beside the submit button in place of Cancel. */
  other?: { label: string; danger?: boolean; onClick: () => void };
  onSubmit?: () => void;
  onClose: () => void;
  children?: ReactNode;
}

/** A dialog with a form: Enter submits, Escape closes. It is rendered only while it is open. */
export function Modal(props: ModalProps) {
  const { t } = useTranslation();
  const submit = () => {
    if (!props.busy && !props.blocked) props.onSubmit?.();
  };
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    submit();
  };
  const { other } = props;
  return (
    <Dialog visible size={props.size ?? 'medium'} headerText={props.title}
      descriptionText={props.text} aria-label={props.title} closeButtonAriaLabel={t('close')}
      className={props.className} onShown={toFirstField} onClose={() => props.onClose()}>
      {props.submit ? (
        <form slot="dialog-body" className="stack" onSubmit={onSubmit} noValidate>
          {props.children}
          <Failure failure={props.failure ?? null} />
        </form>
      ) : <div slot="dialog-body" className="stack">{props.children}</div>}
      <Button slot="footer-button-secondary" variant="secondary" disabled={other && props.busy}
        color={other?.danger ? 'negative' : undefined} onClick={other?.onClick ?? props.onClose}>
        {other?.label ?? props.closes ?? t('cancel')}
      </Button>
      {props.submit && (
        <Button slot="footer-button-primary" color={props.danger ? 'negative' : undefined}
          disabled={props.busy || props.blocked} onClick={submit}>
          {props.submit}
        </Button>
      )}
    </Dialog>
  );
}

/** Whoever opens a dialog with a field wants to type; the close button comes first otherwise. */
export function toFirstField(event: Event) {
  if (event.target !== event.currentTarget) return; // a menu inside has opened
  const field = (event.currentTarget as Element)
    .querySelector<HTMLElement>('mdc-input:not([readonly]), mdc-password');
  field?.focus();
}

interface TypedNameProps {
  title: string;
  text: string;
  name: string;
  submit: string;
  danger?: boolean;
  busy: boolean;
  failure: Explanation | null;
  onSubmit: (typed: string) => void;
  onClose: () => void;
}

/** A dialog that goes on only when the name was typed, letter for letter. */
export function TypedNameModal(props: TypedNameProps) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState('');
  return (
    <Modal title={props.title} text={props.text} submit={props.submit} danger={props.danger}
      busy={props.busy} blocked={typed !== props.name} failure={props.failure}
      onSubmit={() => props.onSubmit(typed)} onClose={props.onClose}>
      <Input label={t('typed.name')} value={typed} autocomplete="off" name="typed_name"
        helpText={t('typed.label', { name: props.name })}
        onInput={(event) => setTyped(event.target.value)} />
    </Modal>
  );
}
