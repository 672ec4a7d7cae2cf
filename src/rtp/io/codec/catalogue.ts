import {
  type Codec,
  CODEC_NAMES,
  type CodecAvailability,
  type CodecName,
} from "../../codec/codec.ts";
import { PCMA, PCMU } from "../../codec/g711.ts";
import { G722 } from "../../codec/g722.ts";
import { prepareTrial } from "../../codec/self_test.ts";
import { openG729 } from "./g729_ffi.ts";
import { openOpus } from "./opus_ffi.ts";
import { openOpusWasm } from "./opus_wasm.ts";
import { openSpeex } from "./speex_ffi.ts";

/** Which codecs work on this machine: each is opened and tried; one that fails is not offered. */

export interface Catalogue {
  readonly codecs: ReadonlyMap<CodecName, Codec>;
  /** One entry for each codec of `CODEC_NAMES`, in that order. */
  readonly availability: readonly CodecAvailability[];
}

export interface CatalogueOptions {
  /** Call the system's libraries; default true. */
  readonly ffi?: boolean;
}

interface Source {
  readonly names: readonly CodecName[];
  open(): Opened | Promise<Opened>;
}

interface Opened {
  readonly codecs: readonly Codec[];
  readonly library: string;
}

const BUILT_IN = "built in";

/** In order of preference; a later source of a codec stands in for one that failed. */
function sources(ffi: boolean): readonly Source[] {
  const withFfi = (open: () => Opened) => () => {
    if (!ffi) throw new Error("FFI is switched off");
    return open();
  };
  return [
    {
      names: ["PCMU", "PCMA", "G722"],
      open: () => ({ codecs: [PCMU, PCMA, G722], library: BUILT_IN }),
    },
    {
      names: ["OPUS"],
      open: withFfi(() => {
        const { codec, library } = openOpus();
        return { codecs: [codec], library };
      }),
    },
    {
      names: ["OPUS"],
      open: async () => {
        const { codec, library } = await openOpusWasm();
        return { codecs: [codec], library };
      },
    },
    {
      names: ["SPEEX/8000", "SPEEX/16000"],
      open: withFfi(() => {
        const { narrow, wide, library } = openSpeex();
        return { codecs: [narrow, wide], library };
      }),
    },
    {
      names: ["G729"],
      open: withFfi(() => {
        const { codec, library } = openG729();
        return { codecs: [codec], library };
      }),
    },
  ];
}

/** Never rejects: what does not work is said in `availability`. */
export async function openCatalogue(options: CatalogueOptions = {}): Promise<Catalogue> {
  const codecs = new Map<CodecName, Codec>();
  const libraries = new Map<CodecName, string>();
  const faults = new Map<CodecName, string>();
  for (const source of sources(options.ffi ?? true)) {
    if (source.names.every((name) => codecs.has(name))) continue;
    try {
      const opened = await source.open();
      for (const codec of opened.codecs) {
        await tryCodec(codec);
        codecs.set(codec.name, codec);
        libraries.set(codec.name, opened.library);
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      for (const name of source.names) {
        if (!codecs.has(name)) faults.set(name, [faults.get(name), why].filter(Boolean).join("; "));
      }
    }
  }
  const availability = CODEC_NAMES.map((codec) => ({
    codec,
    available: codecs.has(codec),
    library: libraries.get(codec) ?? null,
    why: faults.get(codec) ?? null,
  }));
  return { codecs, availability };
}

async function tryCodec(codec: Codec): Promise<void> {
  for (const rate of codec.sampleRates) {
    const trial = prepareTrial(codec, rate);
    try {
      // States that are made by promises are ready by then.
      await new Promise((resolve) => setTimeout(resolve, 0));
      trial.run();
    } finally {
      trial.close();
    }
  }
}
