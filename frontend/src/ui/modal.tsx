// The dialogs: one frame for all, and the one that asks to type a name.
import {
  type ComponentRef, type FormEvent, type ReactNode, useEffect, useRef, useState,
} from 'react';
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
  const dialog = useEscape(props.onClose);
  // A busy button only looks disabled: one that is would lose the focus, and with it the keyboard.
  // It is never told that it does not: that would take aria-disabled from one that is.
  const busy = props.busy || undefined;
  return (
    <Dialog ref={dialog} visible size={props.size ?? 'medium'} headerText={props.title}
      descriptionText={props.text} aria-label={props.title} closeButtonAriaLabel={t('close')}
      className={props.className} onShown={toFirstField} onClose={() => props.onClose()}>
      {props.submit ? (
        <form slot="dialog-body" className="stack" onSubmit={onSubmit} noValidate>
          {props.children}
          <Failure failure={props.failure ?? null} />
        </form>
      ) : <div slot="dialog-body" className="stack">{props.children}</div>}
      <Button slot="footer-button-secondary" variant="secondary" softDisabled={other && busy}
        color={other?.danger ? 'negative' : undefined} onClick={() => {
          if (!other) props.onClose();
          else if (!props.busy) other.onClick();
        }}>
        {other?.label ?? props.closes ?? t('cancel')}
      </Button>
      {props.submit && (
        <Button slot="footer-button-primary" color={props.danger ? 'negative' : undefined}
          disabled={props.blocked} softDisabled={busy} onClick={submit}>
          {props.submit}
        </Button>
      )}
    </Dialog>
  );
}

/**
 * Escape closes the dialog on top also while nothing in it has the focus, as after a click on its
 * text or beside it: the dialog itself hears only the keys that are pressed within.
 */
function useEscape(close: () => void) {
  const dialog = useRef<ComponentRef<typeof Dialog>>(null);
  const latest = useRef(close);
  useEffect(() => {
    latest.current = close;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const shown = document.querySelectorAll('mdc-dialog[visible]');
      const top = shown[shown.length - 1];
      if (event.code !== 'Escape' || top !== dialog.current) return;
      if (!top.contains(document.activeElement)) latest.current();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  return dialog;
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
