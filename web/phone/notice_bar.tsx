/// <reference lib="dom" />
import { CloseIcon } from "../shared/icons.tsx";
import type { Phone } from "./phone.ts";
import type { Notice } from "./state.ts";

/** What happened, or went wrong, and what to do about it. */
export function NoticeBar({ phone, notice, canCall }: {
  readonly phone: Phone;
  readonly notice: Notice;
  readonly canCall: boolean;
}) {
  const { action } = notice;
  return (
    <div
      class={`notice notice-${notice.kind}`}
      role={notice.kind === "info" ? undefined : "alert"}
      data-notice={notice.kind}
    >
      <div class="notice-words">
        <p class="notice-text">{notice.text}</p>
        {notice.hint !== undefined && <p class="notice-hint">{notice.hint}</p>}
      </div>
      {action?.kind === "reconnect" && (
        <button
          type="button"
          class="button"
          onClick={() => void phone.reconnect()}
        >
          {action.label}
        </button>
      )}
      {action?.kind === "secure-page" && <a class="button" href={action.href}>{action.label}</a>}
      {action?.kind === "call-again" && canCall && (
        <button
          type="button"
          class="button"
          onClick={() => {
            phone.notify(null);
            void phone.calls.start(action.callee, false);
          }}
        >
          {action.label}
        </button>
      )}
      <button
        type="button"
        class="button button-bare"
        aria-label="Dismiss"
        onClick={() => phone.notify(null)}
      >
        <CloseIcon />
      </button>
    </div>
  );
}
