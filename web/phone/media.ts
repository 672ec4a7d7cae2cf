/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { Sdk, SdkConstraints } from "./sdk.ts";
import type { Notice } from "./state.ts";
import { mediaNotice } from "./words.ts";

/** Chosen devices; empty: the browser's own choice. */
export interface DeviceChoice {
  readonly microphone: string;
  readonly camera: string;
  readonly speaker: string;
}

export interface DeviceList {
  readonly microphones: readonly DeviceOption[];
  readonly cameras: readonly DeviceOption[];
  readonly speakers: readonly DeviceOption[];
}

export interface DeviceOption {
  readonly id: string;
  readonly label: string;
}

export const NO_DEVICES: DeviceList = { microphones: [], cameras: [], speakers: [] };

const CHOICE_KEY = "portzero.devices";
const VIDEO_SIZE = { width: 640, height: 480 } as const;

export function canChooseSpeaker(): boolean {
  return "setSinkId" in HTMLMediaElement.prototype;
}

export async function listDevices(): Promise<DeviceList> {
  if (!navigator.mediaDevices?.enumerateDevices) return NO_DEVICES;
  const devices = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind, name: string): DeviceOption[] =>
    devices
      // Before the permission is given, browsers list devices without id.
      .filter((device) => device.kind === kind && device.deviceId !== "")
      .map((device, index) => ({
        id: device.deviceId,
        label: device.label || `${name} ${index + 1}`,
      }));
  return {
    microphones: of("audioinput", "Microphone"),
    cameras: of("videoinput", "Camera"),
    speakers: of("audiooutput", "Speaker"),
  };
}

export function loadChoice(): DeviceChoice {
  const none: DeviceChoice = { microphone: "", camera: "", speaker: "" };
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(CHOICE_KEY) ?? "null");
    if (typeof stored !== "object" || stored === null) return none;
    const text = (key: string): string => {
      const value = (stored as Record<string, unknown>)[key];
      return typeof value === "string" ? value : "";
    };
    return { microphone: text("microphone"), camera: text("camera"), speaker: text("speaker") };
  } catch {
    return none;
  }
}

export function saveChoice(choice: DeviceChoice): void {
  try {
    localStorage.setItem(CHOICE_KEY, JSON.stringify(choice));
  } catch {
    // Storage may be switched off; the choice then holds for this page.
  }
}

export interface Acquired {
  readonly constraints: SdkConstraints;
  readonly hasCamera: boolean;
  /** Why there is no camera although one was asked for. */
  readonly notice?: Notice;
}

/**
 * Opens microphone and, if wanted, camera into `display` by the SDK. The SDK finds them there when
 * it starts the call, so people are asked once, and a refusal is known before the server hears of a
 * call. Without a usable camera the call goes on with sound. Rejects with a `MediaRefusal`.
 */
export async function acquire(
  sdk: Sdk,
  display: HTMLElement,
  wantsCamera: boolean,
  choice: DeviceChoice,
): Promise<Acquired> {
  // "ideal": a device that was unplugged since must not end the call.
  const audio = choice.microphone === "" ? {} : { deviceId: { ideal: choice.microphone } };
  const video = {
    ...VIDEO_SIZE,
    ...(choice.camera === "" ? {} : { deviceId: { ideal: choice.camera } }),
  };
  if (wantsCamera) {
    const constraints: SdkConstraints = { audio, video };
    try {
      await sdk.getMediaAccess(constraints, display);
      return { constraints, hasCamera: true };
    } catch (fault) {
      const constraints: SdkConstraints = { audio, video: false };
      await openMicrophone(sdk, constraints, display);
      const notice = mediaNotice(nameOf(fault), "camera");
      return {
        constraints,
        hasCamera: false,
        notice: { ...notice, kind: "warning", text: `${notice.text} You are heard, but not seen.` },
      };
    }
  }
  const constraints: SdkConstraints = { audio, video: false };
  await openMicrophone(sdk, constraints, display);
  return { constraints, hasCamera: false };
}

export class MediaRefusal extends Error {
  constructor(readonly notice: Notice) {
    super(notice.text);
  }
}

async function openMicrophone(
  sdk: Sdk,
  constraints: SdkConstraints,
  display: HTMLElement,
): Promise<void> {
  try {
    await sdk.getMediaAccess(constraints, display);
  } catch (fault) {
    throw new MediaRefusal(mediaNotice(nameOf(fault), "microphone"));
  }
}

function nameOf(fault: unknown): string {
  return fault instanceof Error || fault instanceof DOMException ? fault.name : String(fault);
}

/** The stream that the SDK plays in this box, if any. */
export function streamOf(box: HTMLElement): MediaStream | null {
  const stream = box.querySelector("video")?.srcObject;
  return stream instanceof MediaStream ? stream : null;
}

/** Stops what is captured or played in a box and empties it. */
export function releaseBox(box: HTMLElement): void {
  for (const video of box.querySelectorAll("video")) {
    if (video.srcObject instanceof MediaStream) {
      for (const track of video.srcObject.getTracks()) track.stop();
    }
    video.srcObject = null;
  }
  box.replaceChildren();
}

export function setEnabled(box: HTMLElement, kind: "audio" | "video", isEnabled: boolean): void {
  for (const track of streamOf(box)?.getTracks() ?? []) {
    if (track.kind === kind) track.enabled = isEnabled;
  }
}
