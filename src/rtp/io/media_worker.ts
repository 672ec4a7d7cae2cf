import type { MediaCommand, MediaEvent, MediaWorkerStart } from "../contract.ts";
import { typescriptSrtp } from "../srtp/aes_cm.ts";
import { PortableShell } from "./portable_shell.ts";

/** Entry point of a media worker. */

const scope = globalThis as unknown as {
  onmessage: ((message: MessageEvent<MediaCommand>) => void) | null;
  postMessage(event: MediaEvent): void;
  close(): void;
};

let shell: PortableShell | null = null;
let allowCrash = false;

function start(command: MediaWorkerStart): void {
  allowCrash = command.allowCrash;
  try {
    shell = new PortableShell(command, typescriptSrtp, (event) => scope.postMessage(event));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    scope.postMessage({ type: "start-failed", text });
  }
}

scope.onmessage = ({ data: command }) => {
  if (command.type === "start") start(command);
  else if (command.type === "shutdown") {
    shell?.close();
    scope.close();
  } else if (command.type === "crash") {
    if (allowCrash) throw new Error("crash command");
  } else shell?.command(command);
};
