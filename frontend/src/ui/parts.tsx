// Small pieces that every screen is made of.
import { Fragment, type ReactNode, useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import type { Explanation } from '../api/problem';
import { isLanguage, type Language } from '../i18n/language';
import { Banner, type ChipColor, Spinner, StaticChip, Text } from '../mdc';
import { instant, instantInZone } from '../text/time';

export function useLanguage(): Language {
  const { i18n } = useTranslation();
  return isLanguage(i18n.language) ? i18n.language : 'en';
}

export function useTitle(title: string): void {
  const { t } = useTranslation();
  const product = t('product');
  useEffect(() => {
    document.title = `${title} – ${product}`;
  }, [title, product]);
}

export function H1({ children }: { children: ReactNode }) {
  return <Text tagname="h1" type="heading-large-bold">{children}</Text>;
}

export function H2({ children, id }: { children: ReactNode; id?: string }) {
  return <Text id={id} tagname="h2" type="heading-midsize-bold">{children}</Text>;
}

export function H3({ children }: { children: ReactNode }) {
  return <Text tagname="h3" type="heading-small-bold">{children}</Text>;
}

export function Muted({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <Text tagname="p" type="body-midsize-regular" className={`muted ${className ?? ''}`}>
      {children}
    </Text>
  );
}

/** A host's name, which breaks only between its labels where it is too long. */
export function Host({ name }: { name: string }) {
  const labels = name.split('.');
  return (
    <span className="host">
      {labels.map((label, index) => (
        <Fragment key={index}>
          <span>{label}{index < labels.length - 1 && '.'}</span>
          <wbr />
        </Fragment>
      ))}
    </span>
  );
}

export function Section(props: { id: string; title: string; lead?: ReactNode; actions?: ReactNode;
  children: ReactNode }) {
  return (
    <section className="section" id={props.id} aria-label={props.title}>
      <div className="section-head">
        <div>
          <H2>{props.title}</H2>
          {props.lead && <Muted>{props.lead}</Muted>}
        </div>
        {props.actions && <div className="actions">{props.actions}</div>}
      </div>
      {props.children}
    </section>
  );
}

export function Loading() {
  const { t } = useTranslation();
  return (
    <div className="loading" role="status">
      <Spinner aria-label={t('loading')} size="large" />
    </div>
  );
}

/** A failure in words; read aloud when it appears. */
export function Failure({ failure }: { failure: Explanation | null }) {
  const { t } = useTranslation();
  return (
    <div role="alert">
      {failure && (
        <Banner variant="error" label={failure.sentence} className="banner"
          secondaryLabel={failure.trackingId && t('error.tracking', { id: failure.trackingId })} />
      )}
    </div>
  );
}

export function Facts({ children }: { children: ReactNode }) {
  return <dl className="facts">{children}</dl>;
}

export function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="fact">
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** An instant in a cluster's zone. The zone is named, unless the place around says it. */
export function When({ at, zone, bare }: { at: string; zone: string; bare?: boolean }) {
  const language = useLanguage();
  const text = bare ? instant(at, language, zone) : instantInZone(at, language, zone);
  return <time dateTime={at} title={instantInZone(at, language, zone)}>{text}</time>;
}

const clusterColors: Record<Schemas['ClusterState'], ChipColor> = {
  operational: 'mint', impaired: 'gold', outage: 'pink', upgrading: 'cobalt', waiting: 'slate',
};

export function ClusterChip({ state, progress }: {
  state: Schemas['ClusterState']; progress?: Schemas['Progress'] }) {
  const { t } = useTranslation();
  const label = progress && state === 'upgrading' ? t('card.upgrading', progress)
    : t(`state.${state}`);
  return <StaticChip color={clusterColors[state]} label={label} data-state={state} />;
}

/**
 * How far something is, of 100. The browser's own element: Momentum's sets a style attribute, which
 * the Content-Security-Policy refuses.
 */
export function Bar({ label, percent, wrong }: {
  label: string; percent: number; wrong?: boolean }) {
  return (
    <progress className={wrong ? 'bar wrong-bar' : 'bar'} aria-label={label} max={100}
      value={percent} />
  );
}
