// A table that becomes a list of cards where the screen is narrow.
import type { ReactNode } from 'react';

interface TableProps {
  label: string;
  columns: string[];
  /** The name of the last column, which holds controls and shows no heading. */
  actions?: string;
  children: ReactNode;
}

export function Table({ label, columns, actions, children }: TableProps) {
  return (
    <table className="nodes" role="table" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column} role="columnheader" scope="col">{column}</th>
          ))}
          {actions && (
            <th role="columnheader" scope="col"><span className="unseen">{actions}</span></th>
          )}
        </tr>
      </thead>
      <tbody role="rowgroup">{children}</tbody>
    </table>
  );
}

/** A cell; its label is what the column is called, where there are no columns to see. */
export function Cell({ label, className, children }: {
  label: string; className?: string; children: ReactNode }) {
  return <td role="cell" className={className} data-label={label}>{children}</td>;
}
