/// <reference lib="dom" />
import { useEffect, useState } from "preact/hooks";
import {
  canChooseSpeaker,
  type DeviceChoice,
  type DeviceList,
  type DeviceOption,
  listDevices,
  NO_DEVICES,
} from "./media.ts";
import type { Phone } from "./phone.ts";

export function DevicePanel({ phone }: { readonly phone: Phone }) {
  const devices = useDevices(phone);
  return (
    <details class="panel">
      <summary>Devices</summary>
      <div class="panel-body">
        <DeviceSelect
          phone={phone}
          kind="microphone"
          label="Microphone"
          options={devices.microphones}
        />
        <DeviceSelect phone={phone} kind="camera" label="Camera" options={devices.cameras} />
        {canChooseSpeaker() && (
          <DeviceSelect phone={phone} kind="speaker" label="Speaker" options={devices.speakers} />
        )}
        {devices.microphones.length === 0 && (
          <p class="aside">
            The browser tells the devices' names once you have allowed the microphone, with the
            first call.
          </p>
        )}
      </div>
    </details>
  );
}

function DeviceSelect({ phone, kind, label, options }: {
  readonly phone: Phone;
  readonly kind: keyof DeviceChoice;
  readonly label: string;
  readonly options: readonly DeviceOption[];
}) {
  const chosen = phone.choice[kind];
  const value = options.some((option) => option.id === chosen) ? chosen : "";
  return (
    <label class="field field-wide">
      <span class="label">{label}</span>
      <select
        value={value}
        onChange={(event) => void phone.chooseDevice(kind, event.currentTarget.value)}
      >
        <option value="">Browser's choice</option>
        {options.map((option) => <option key={option.id} value={option.id}>{option.label}</option>)}
      </select>
    </label>
  );
}

function useDevices(phone: Phone): DeviceList {
  const [devices, setDevices] = useState(NO_DEVICES);
  useEffect(() => {
    const refresh = () => void listDevices().then(setDevices).catch(() => {});
    refresh();
    const stop = phone.onMediaOpened(refresh);
    navigator.mediaDevices?.addEventListener("devicechange", refresh);
    return () => {
      stop();
      navigator.mediaDevices?.removeEventListener("devicechange", refresh);
    };
  }, [phone]);
  return devices;
}
