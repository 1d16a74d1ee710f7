import type { PhaseMode } from '../../agent/config.ts'
import { lookAround } from '../../agent/discover.ts'
import { hostArch } from '../../service/arch.ts'

/** Looks around for so many milliseconds in a mode, with a bootstrap peer and a remembered provider (a store's root) beyond the link. */
const [mode, milliseconds, bootstrap, storeRoot] = process.argv.slice(2) as [PhaseMode, string, string, string]
const where = { mode, providers: [], bootstrap: [bootstrap], channel: 'stable', arch: hostArch(), storeRoot }
await lookAround(where, () => {}, Number(milliseconds))
process.exit(0)
