import { Option, Select, SelectListBox } from '../mdc';

interface ChoiceProps<V extends string | number> {
  label: string;
  value: V;
  options: { value: V; label: string }[];
  disabled?: boolean;
  error?: string;
  onChoose: (value: V) => void;
}

/** One of a few values, each with a name. */
export function Choice<V extends string | number>(props: ChoiceProps<V>) {
  const { label, value, options, disabled, error, onChoose } = props;
  return (
    <Select label={label} value={String(value)} disabled={disabled} strategy="fixed"
      helpText={error ?? ''} helpTextType={error ? 'error' : 'default'}
      onChange={(event) => {
        const chosen = options.find((option) => String(option.value) === event.detail.value);
        if (chosen) onChoose(chosen.value);
      }}>
      <SelectListBox aria-label={label}>
        {options.map((option) => (
          <Option key={option.value} value={String(option.value)} label={option.label}
            selected={option.value === value || undefined} />
        ))}
      </SelectListBox>
    </Select>
  );
}
