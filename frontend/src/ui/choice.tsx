import { Option, Select, SelectListBox } from '../mdc';

interface ChoiceProps {
  label: string;
  value: number;
  options: { value: number; label: string }[];
  disabled?: boolean;
  error?: string;
  onChoose: (value: number) => void;
}

/** One of a few numbers, each with a name. */
export function Choice({ label, value, options, disabled, error, onChoose }: ChoiceProps) {
  return (
    <Select label={label} value={String(value)} disabled={disabled} strategy="fixed"
      helpText={error ?? ''} helpTextType={error ? 'error' : 'default'}
      onChange={(event) => {
        const chosen = Number(event.detail.value);
        if (chosen > 0) onChoose(chosen);
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
