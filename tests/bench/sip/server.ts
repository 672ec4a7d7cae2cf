import { fileURLToPath } from "node:url";
import { accountDigests } from "../../../src/sip/auth/mod.ts";
import { silentLog } from "../../../src/core/log.ts";
