// The only file that imports Momentum: everything else asks this one.
export { default as AppHeader } from '@momentum-design/components/react/appheader/index.js';
export { default as Avatar } from '@momentum-design/components/react/avatar/index.js';
export { default as AvatarButton } from '@momentum-design/components/react/avatarbutton/index.js';
export { default as Banner } from '@momentum-design/components/react/banner/index.js';
export { default as Button } from '@momentum-design/components/react/button/index.js';
export { default as Checkbox } from '@momentum-design/components/react/checkbox/index.js';
export { default as Combobox } from '@momentum-design/components/react/combobox/index.js';
export { default as Dialog } from '@momentum-design/components/react/dialog/index.js';
export { default as Divider } from '@momentum-design/components/react/divider/index.js';
export { default as Icon } from '@momentum-design/components/react/icon/index.js';
export { default as IconProvider } from '@momentum-design/components/react/iconprovider/index.js';
export { default as Input } from '@momentum-design/components/react/input/index.js';
export { default as MenuBar } from '@momentum-design/components/react/menubar/index.js';
export { default as MenuItem } from '@momentum-design/components/react/menuitem/index.js';
export { default as MenuPopover } from '@momentum-design/components/react/menupopover/index.js';
export { default as NavMenuItem } from '@momentum-design/components/react/navmenuitem/index.js';
export { default as Option } from '@momentum-design/components/react/option/index.js';
export { default as Password } from '@momentum-design/components/react/password/index.js';
export { default as Radio } from '@momentum-design/components/react/radio/index.js';
export { default as RadioGroup } from '@momentum-design/components/react/radiogroup/index.js';
export { default as SearchField } from '@momentum-design/components/react/searchfield/index.js';
export { default as Select } from '@momentum-design/components/react/select/index.js';
export { default as SelectListBox } from '@momentum-design/components/react/selectlistbox/index.js';
export { default as SideNavigation } from '@momentum-design/components/react/sidenavigation/index.js';
export { default as Spinner } from '@momentum-design/components/react/spinner/index.js';
export { default as StaticChip } from '@momentum-design/components/react/staticchip/index.js';
export { default as Text } from '@momentum-design/components/react/text/index.js';
export { default as Toggle } from '@momentum-design/components/react/toggle/index.js';
export { default as ThemeProvider } from '@momentum-design/components/react/themeprovider/index.js';
export { default as Toast } from '@momentum-design/components/react/toast/index.js';
import '@momentum-design/tokens/dist/css/typography/complete.css';
import '@momentum-design/tokens/dist/css/elevation/complete.css';
import '@momentum-design/tokens/dist/css/theme/webex/light-stable.css';
import '@momentum-design/tokens/dist/css/theme/webex/dark-stable.css';
import '@momentum-design/fonts/dist/css/fonts.css';
import type MomentumCombobox from '@momentum-design/components/dist/components/combobox/combobox.component.js';
import type { ComponentProps } from 'react';
import type StaticChipType from '@momentum-design/components/react/staticchip/index.js';
import type IconType from '@momentum-design/components/react/icon/index.js';

export type ChipColor = NonNullable<ComponentProps<typeof StaticChipType>['color']>;
export type IconName = NonNullable<ComponentProps<typeof IconType>['name']>;

/**
 * Lets a combobox find what is typed anywhere in a label, where it would only look at the start:
 * "tokyo" finds Asia/Tokyo.
 */
export function matchAnywhere(combobox: MomentumCombobox | null): void {
  if (!combobox) return;
  Object.assign(combobox, {
    compareOptionWithValue: (option: Element, typed: string | undefined) =>
      (option.getAttribute('label') ?? '').toLowerCase().includes((typed ?? '').toLowerCase()),
  });
}
