/// <reference lib="dom" />
import { Calls } from "./calls.ts";
import { Line, type LineEnd } from "./line.ts";
import { type DeviceChoice, loadChoice, saveChoice } from "./media.ts";
import { Neighbours } from "./neighbours.ts";
import { findSdk, type Sdk, type SdkConnection } from "./sdk.ts";
import { rememberLogin, type Settings } from "./settings.ts";
import { playTone, type Tone, wakeSound } from "./sound.ts";
import { INITIAL_STATE, isOnline, type Notice, type PhoneState, stageCall } from "./state.ts";
import { namesakeNotice, passwordNotice, selfNotice } from "./words.ts";

/** The phone behind the page: one state to show, and the commands of its buttons. */
export class Phone {
  #state: PhoneState = INITIAL_STATE;
  #line: Line | undefined;
  #settings: Settings | undefined;
  #choice: DeviceChoice = loadChoice();
  #isInitialised = false;
  readonly #neighbours = new Neighbours((name) => this.notify(namesakeNotice(name)));
  readonly #listeners = new Set<() => void>();
  readonly #mediaListeners = new Set<() => void>();
  readonly calls: Calls;

  constructor() {
    this.calls = new Calls({
      sdk: () => this.#sdk(),
      session: () => this.#line?.session,
      me: () => this.#state.me,
      devices: () => this.#choice,
      note: (id) => this.#line?.note(id) ?? { sipStatus: 0, info: "" },
      notify: (notice) => this.notify(notice),
      changed: (calls, activeKey) => this.#set({ calls, activeKey }),
      mediaOpened: () => this.#mediaListeners.forEach((listener) => listener()),
    });
  }

  get state(): PhoneState {
    return this.#state;
  }

  get choice(): DeviceChoice {
    return this.#choice;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Devices may have names now that they had not before. */
  onMediaOpened(listener: () => void): () => void {
    this.#mediaListeners.add(listener);
    return () => this.#mediaListeners.delete(listener);
  }

  notify(notice: Notice | null): void {
    this.#set({ notice });
  }

  /** @param isTokenAlone take up the session of `settings.authToken`, without a login */
  async connect(settings: Settings, isTokenAlone: boolean): Promise<void> {
    const problem = problemOf(settings, isTokenAlone);
    if (problem !== undefined) return this.notify(problem);
    wakeSound();
    this.#settings = settings;
    await this.#open(settings, isTokenAlone ? settings.authToken.trim() : "", isTokenAlone);
  }

  /** After a loss: takes the kept session up again, or logs in afresh where it is gone. */
  async reconnect(): Promise<void> {
    if (this.#settings === undefined) return;
    wakeSound();
    // A token connection knows no login of its own; the server told it.
    const settings = { ...this.#settings, login: this.#state.me || this.#settings.login };
    await this.#open(settings, this.#state.authToken, false);
  }

  disconnect(): void {
    this.calls.hangupAll();
    this.#line?.close();
    this.#line = undefined;
    this.calls.dropAll();
    this.#set({ line: "offline", notice: null });
  }

  /** Calls, unless that makes no sense: then it says why, and false comes back. */
  dial(callee: string, wantsVideo: boolean): boolean {
    const name = callee.trim();
    const isMe = name === this.#state.me && this.#settings?.port.trim() === "0";
    if (name === "" || isMe) {
      this.notify(name === "" ? NO_CALLEE : selfNotice(name));
      return false;
    }
    this.notify(null);
    void this.calls.start(name, wantsVideo);
    return true;
  }

  async chooseDevice(kind: keyof DeviceChoice, id: string): Promise<void> {
    this.#choice = { ...this.#choice, [kind]: id };
    saveChoice(this.#choice);
    this.#set({});
    try {
      await this.calls.switchDevice(kind, id);
    } catch (fault) {
      this.notify({
        kind: "warning",
        text: `The ${kind} could not be changed in this call (${fault}).`,
        hint: "It will be used from the next call on.",
      });
    }
  }

  async #open(settings: Settings, authToken: string, isTokenAlone: boolean): Promise<void> {
    this.#line?.close();
    this.calls.dropAll();
    this.#set({ line: "connecting", notice: null, me: settings.login.trim() });
    const line = new Line({
      established: (connection) => this.#established(settings, connection),
      registered: () => this.#set({ line: "online" }),
      closed: (end) => this.#closed(settings, authToken !== "" && !isTokenAlone, end),
      incoming: (call, hasVideo) => this.calls.incoming(call, hasVideo),
      news: (id, news) => this.calls.news(id, news),
      warned: (info) =>
        this.notify({ kind: "warning", text: "The server refused something.", hint: info }),
    });
    this.#line = line;
    try {
      await this.#initialise();
      // Cancelled, or started anew, while the SDK prepared itself.
      if (this.#line !== line) return;
      line.open(this.#sdk(), settings, authToken, isTokenAlone);
    } catch (fault) {
      this.#set({
        line: "offline",
        notice: {
          kind: "error",
          text: `The connection to ${settings.serverUrl} could not be started.`,
          hint: fault instanceof Error ? fault.message : String(fault),
        },
      });
    }
  }

  #established(settings: Settings, connection: SdkConnection): void {
    const me = connection.sipLogin ?? settings.login.trim();
    const authToken = connection.authToken ?? "";
    rememberLogin(me, authToken);
    this.#set({
      line: settings.isRegisterRequired ? "registering" : "online",
      me,
      authToken,
      notice: null,
    });
  }

  #closed(settings: Settings, isResumption: boolean, end: LineEnd): void {
    this.#line = undefined;
    // A registration that was refused closes the line too, but nothing was there yet to be lost.
    const wasOnline = this.#state.line === "online" && !end.isWrongPassword;
    this.calls.dropAll();
    if (!end.wasUp && isResumption && !end.isUnreachable) {
      // The kept session is gone on the server: log in afresh.
      void this.#open(settings, "", false);
      return;
    }
    this.#set({
      line: wasOnline ? "lost" : "offline",
      notice: wasOnline ? lossNotice(end) : refusalNotice(settings, end),
    });
  }

  async #initialise(): Promise<void> {
    if (this.#isInitialised) return;
    // Without the gain node: it is one for all calls, so that the end of one would silence another.
    await this.#sdk().init({ createMicGainNode: false });
    this.#isInitialised = true;
  }

  #sdk(): Sdk {
    const sdk = findSdk();
    if (sdk === undefined) throw new Error("The Web SDK (/sdk/flashphoner.js) was not loaded");
    return sdk;
  }

  #set(change: Partial<PhoneState>): void {
    this.#state = { ...this.#state, ...change };
    playTone(toneOf(this.#state));
    this.#neighbours.online(this.#state.line === "online" ? this.#state.me : "");
    for (const listener of this.#listeners) listener();
  }
}

function toneOf(state: PhoneState): Tone | null {
  if (!isOnline(state.line)) return null;
  const stage = stageCall(state);
  if (stage?.phase === "incoming") return "ring";
  if (state.calls.some((call) => call.phase === "incoming")) return "knock";
  return stage?.phase === "ringing" ? "ringback" : null;
}

function problemOf(settings: Settings, isTokenAlone: boolean): Notice | undefined {
  if (isTokenAlone && settings.authToken.trim() === "") {
    return { kind: "error", text: "Paste the auth token of a session first." };
  }
  if (!isTokenAlone && settings.login.trim() === "") {
    return { kind: "error", text: "Type your name first.", hint: "Others will call you by it." };
  }
  return insecurePage();
}

/** Browsers give a microphone to https pages and to this machine's own pages alone. */
export function insecurePage(): Notice | undefined {
  if (globalThis.isSecureContext) return undefined;
  const href = `https://${location.hostname}:8443/`;
  return {
    kind: "error",
    text: "This page came over plain http, so the browser gives it no microphone.",
    hint:
      "Open the server's https address, which it printed at its start (port 8443, unless that was " +
      "changed). The browser may warn of a self-made certificate: accept it.",
    action: { kind: "secure-page", label: `Open ${href}`, href },
  };
}

const NO_CALLEE: Notice = { kind: "error", text: "Type the name of whom you want to call." };

function lossNotice(end: LineEnd): Notice {
  return {
    kind: "error",
    text: "The connection to the server was lost. Nobody can call you now.",
    ...(end.info === "" ? {} : { hint: `The server says: ${end.info}` }),
    action: { kind: "reconnect", label: "Reconnect" },
  };
}

/** How the server's words begin where the name is at fault; the page has another word for it. */
const NAME_FAULT = "sipLogin: ";

function refusalNotice(settings: Settings, end: LineEnd): Notice {
  if (end.isUnreachable) {
    const isSecure = settings.serverUrl.startsWith("wss:");
    return {
      kind: "error",
      text: `The server at ${settings.serverUrl} could not be reached.`,
      hint: isSecure
        ? "Is it running? If its certificate is self-made, open its https address once and accept it."
        : "Is it running, and is the server URL under Connection right?",
      action: { kind: "reconnect", label: "Try again" },
    };
  }
  const name = settings.login.trim();
  if (end.isWrongPassword) return passwordNotice(name);
  if (end.info.startsWith(NAME_FAULT)) {
    const why = end.info.slice(NAME_FAULT.length);
    return {
      kind: "error",
      text: `“${name}” can't be a name here.`,
      hint: `${why.slice(0, 1).toUpperCase()}${why.slice(1)}`,
    };
  }
  return {
    kind: "error",
    text: "The server refused the connection.",
    hint: end.info || "It gave no reason. Check the fields under Connection.",
  };
}
