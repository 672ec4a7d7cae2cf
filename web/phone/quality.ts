import type { Quality } from "./state.ts";

/**
 * Sums up the browser's own reports as the SDK lists them: by type, each an array. Pure.
 */
export function qualityOf(stats: Readonly<Record<string, unknown>>): Quality {
  const inbound = reports(stats, "inbound-rtp");
  const packets = sum(inbound, "packetsReceived");
  const lost = Math.max(0, sum(inbound, "packetsLost"));
  const codecById = new Map(reports(stats, "codec").map((codec) => [codec["id"], codec]));
  const codecs: string[] = [];
  for (const report of inbound) {
    const mimeType = codecById.get(report["codecId"])?.["mimeType"];
    if (typeof mimeType !== "string" || number(report["packetsReceived"]) === 0) continue;
    const name = mimeType.slice(mimeType.indexOf("/") + 1);
    if (!codecs.includes(name)) codecs.push(name);
  }
  const roundTrips = reports(stats, "remote-inbound-rtp")
    .map((report) => number(report["roundTripTime"]))
    .filter((seconds) => seconds > 0);
  return {
    codecs,
    packets,
    lossPercent: packets + lost === 0 ? 0 : 100 * lost / (packets + lost),
    roundTripMs: roundTrips.length === 0 ? null : 1000 * Math.min(...roundTrips),
  };
}

type Report = Readonly<Record<string, unknown>>;

function reports(stats: Readonly<Record<string, unknown>>, type: string): readonly Report[] {
  const list = stats[type];
  return Array.isArray(list)
    ? list.filter((entry): entry is Report => typeof entry === "object" && entry !== null)
    : [];
}

function sum(list: readonly Report[], key: string): number {
  return list.reduce((total, report) => total + number(report[key]), 0);
}

function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
