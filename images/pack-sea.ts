import { createRequire } from 'node:module'

/**
 * Puts a script into Node by pkg's simple SEA mode, as V8's startup snapshot, which pkg's command line does not pass on:
 *
 *     node images/pack-sea.ts SCRIPT ASSETS OUTPUT TARGET NODE-VERSION [GENERATOR]
 *
 * ASSETS: names and files of what the script may read from itself (node:sea), as JSON.
 * A program of its own, since pkg reads HOME and what is changed of `process` below. The snapshot must be made by the
 * target's own Node: GENERATOR runs it (through qemu-user for a foreign architecture); without one the script is run at each start.
 */
interface SeaOptions {
  readonly targets: ReadonlyArray<{ platform: string; arch: string; nodeRange: string; output: string }>
  readonly signature: boolean
  readonly seaConfig: {
    readonly useSnapshot: boolean
    readonly disableExperimentalSEAWarning: boolean
    readonly assets: Readonly<Record<string, string>>
  }
}
const [script, assets, output, target, nodeVersion, generator] = process.argv.slice(2)
const [platform, arch] = target!.split('-')

if (generator) {
  // pkg makes the blob with the target's binary itself where that is of this host's architecture, and else with
  // process.execPath. It must be the generator in both cases: only it fixes the seed that keeps the snapshot reproducible.
  Object.defineProperty(process, 'arch', { value: 'none' })
  process.execPath = generator
}
const require = createRequire(import.meta.url)
// pkg 6.23's own entry for a single script; package.json pins the version.
const { default: sea } = require('@yao-pkg/pkg/lib-es5/sea.js') as {
  default: (script: string, options: SeaOptions) => Promise<void>
}

await sea(script!, {
  targets: [{ platform: platform!, arch: arch!, nodeRange: `node${nodeVersion}`, output: output! }],
  signature: false,
  seaConfig: {
    useSnapshot: generator !== undefined,
    disableExperimentalSEAWarning: true,
    assets: JSON.parse(assets!) as Record<string, string>,
  },
})
