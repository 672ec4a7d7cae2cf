import type { ComponentChildren } from "preact";

/** Line drawings on a grid of 24, in the colour of the text; the text beside them says the rest. */

function Icon({ children }: { readonly children: ComponentChildren }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 24 24"
      width="24"
      height="24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}

const HANDSET =
  "M7.2 3.8 9.4 8 7.6 9.8a12.6 12.6 0 0 0 6.6 6.6L16 14.6l4.2 2.2-.6 3.1a1 1 0 0 1-1 .8A15.6 15.6 0 0 1 3.3 5.4a1 1 0 0 1 .8-1z";

export const HandsetIcon = () => (
  <Icon>
    <path d={HANDSET} />
  </Icon>
);

export const HangupIcon = () => (
  <Icon>
    <path d="M3 15.5v-2.2C7.7 8.6 16.3 8.6 21 13.3v2.2l-4.2.8-.6-3.1a12.6 12.6 0 0 0-8.4 0l-.6 3.1z" />
  </Icon>
);

export const MicrophoneIcon = ({ isOff }: { readonly isOff: boolean }) => (
  <Icon>
    <rect x="9" y="3" width="6" height="11" rx="3" />
    <path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3" />
    {isOff ? <path d="M4 4l16 16" /> : null}
  </Icon>
);

export const CameraIcon = ({ isOff }: { readonly isOff: boolean }) => (
  <Icon>
    <rect x="3" y="6.5" width="12" height="11" rx="2.5" />
    <path d="m15 10.5 6-3v9l-6-3" />
    {isOff ? <path d="M4 4l16 16" /> : null}
  </Icon>
);

export const HoldIcon = () => (
  <Icon>
    <path d="M9 6v12M15 6v12" />
  </Icon>
);

export const ResumeIcon = () => (
  <Icon>
    <path d="m8 5.5 10.5 6.5L8 18.5z" />
  </Icon>
);

export const KeypadIcon = () => (
  <Icon>
    {[6, 12, 18].flatMap((y) =>
      [6, 12, 18].map((x) => <circle key={`${x} ${y}`} cx={x} cy={y} r="1.4" />)
    )}
  </Icon>
);

export const TransferIcon = () => (
  <Icon>
    <path d="M4 12h14M13 6.5l5.5 5.5-5.5 5.5M4 6v12" />
  </Icon>
);

export const CloseIcon = () => (
  <Icon>
    <path d="m6.5 6.5 11 11M17.5 6.5l-11 11" />
  </Icon>
);

/** Two ports and what joins them. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 40 24" width="40" height="24" aria-hidden="true" focusable="false">
    <g fill="none" stroke="currentColor" stroke-width="3">
      <circle cx="10" cy="12" r="7.5" />
      <circle cx="30" cy="12" r="7.5" />
    </g>
    <path d="M10 12h20" stroke="currentColor" stroke-width="3" stroke-linecap="round" />
  </svg>
);
