import { plasmd } from './cli.ts'

/** `plasmd` from the sources, on a host that has Node: `node service/plasmd.ts serve …`. */
process.exitCode = await plasmd(process.argv.slice(2))
