import {
  AEAD_AES_128_GCM,
  AEAD_AES_256_GCM,
  AES_CM_128_HMAC_SHA1_32,
  AES_CM_128_HMAC_SHA1_80,
  type SrtpProfile,
} from "../../contract.ts";
import type { SrtpCipher, SrtpEngine } from "../../srtp/cipher.ts";
import type { Arena } from "./arena.ts";
import { CmCipher } from "./cm_cipher.ts";
import { GcmCipher } from "./gcm_cipher.ts";
import { openLibcrypto } from "./libcrypto.ts";
import { CipherMemory } from "./libcrypto_cipher.ts";
import { deriveSessionKeys, type ProfileFacts } from "./srtp_keys.ts";

const FACTS: Readonly<Record<SrtpProfile, ProfileFacts>> = {
  // The short tag is for RTP alone (RFC 5764 4.1.2: RTCP keeps 80 bits).
  1: { isGcm: false, keyLength: 16, saltLength: 14, rtpTag: 10, rtcpTag: 10 },
  2: { isGcm: false, keyLength: 16, saltLength: 14, rtpTag: 4, rtcpTag: 10 },
  7: { isGcm: true, keyLength: 16, saltLength: 12, rtpTag: 16, rtcpTag: 16 },
  8: { isGcm: true, keyLength: 32, saltLength: 12, rtpTag: 16, rtcpTag: 16 },
};

/** SRTP by the system's libcrypto, in place where packets lie in `arena`. */
export class LibcryptoSrtp implements SrtpEngine {
  readonly name = "libcrypto";
  readonly profiles: readonly SrtpProfile[] = [
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AES_CM_128_HMAC_SHA1_80,
    AES_CM_128_HMAC_SHA1_32,
  ];
  readonly #memory: CipherMemory;

  /** @throws Error where the library is not installed */
  constructor(arena: Arena) {
    this.#memory = new CipherMemory(openLibcrypto(), arena);
  }

  /** Whether SHA-1 has kept to the room that its context has. */
  guardHolds(): boolean {
    return this.#memory.guardHolds();
  }

  cipher(profile: SrtpProfile, masterKey: Uint8Array, masterSalt: Uint8Array): SrtpCipher {
    const facts = FACTS[profile];
    if (facts === undefined) throw new Error(`SRTP profile ${profile} is not known`);
    const { keyLength, saltLength } = facts;
    if (masterKey.length !== keyLength || masterSalt.length !== saltLength) {
      throw new Error(
        `SRTP profile ${profile} was given a key of ${masterKey.length} and a salt of ` +
          `${masterSalt.length} bytes, expected ${keyLength} and ${saltLength}`,
      );
    }
    const memory = this.#memory;
    const { library, arena, work } = memory;
    const keys = (label: 0 | 3) =>
      deriveSessionKeys(library, arena, work, facts, masterKey, masterSalt, label);
    return facts.isGcm
      ? new GcmCipher(memory, keys(0), keys(3))
      : new CmCipher(memory, facts, keys(0), keys(3));
  }
}
