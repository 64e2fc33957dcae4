import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Combobox, matchAnywhere, Option, SelectListBox } from '../mdc';
import { help } from './help';

interface Props {
  label: string;
  value: string;
  zones: readonly string[];
  help: string;
  error?: string;
  onChoose: (zone: string) => void;
}

/** One of the time zones that the hub knows, found by any part of its name. */
export function ZoneChoice(props: Props) {
  const { label, value, zones, error, onChoose } = props;
  const { t } = useTranslation();
  // some hundred options are made only when somebody is about to choose
  const [asked, setAsked] = useState(false);
  const all = zones.includes(value) ? zones : [value, ...zones];
  const offered = asked ? all : [value];
  return (
    <Combobox ref={matchAnywhere} onFocus={() => setAsked(true)} label={label}
      dataAriaLabel={label} value={value} noResultText={t('schedule.zoneNone')}
      invalidCustomValueText={t('schedule.zoneWrong')} {...help(error, props.help)}
      onChange={(event) => {
        const zone = event.detail.value ?? '';
        if (zone !== value && zone !== '') onChoose(zone);
      }}>
      <SelectListBox aria-label={t('schedule.zones')}>
        {offered.map((zone) => (
          <Option key={zone} value={zone} label={zone} tabIndex={-1}
            selected={zone === value || undefined} />
        ))}
      </SelectListBox>
    </Combobox>
  );
}
