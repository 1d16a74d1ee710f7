import { basename } from 'node:path'

/** The two stages run in every boot and take no options: they do not wait for what parses a command line. */
const STAGES: ReadonlyMap<string, () => Promise<number>> = new Map([
  ['boot', async () => (await import('./boot-stage.ts')).bootStage()],
  ['serve', async () => (await import('./serve-stage.ts')).serveStage()],
])

/** The one program (DESIGN decision 1), whose name picks what it is. Its exit code is set at the end. */
export function program(): void {
  chosen().then(
    (code) => {
      process.exitCode = code
    },
    (thrown: unknown) => {
      console.error(thrown)
      process.exitCode = 1
    },
  )
}

async function chosen(): Promise<number> {
  const argv = process.argv.slice(2)
  if (basename(process.argv0) === 'plasmd') {
    const { plasmd } = await import('../service/cli.ts')
    return plasmd(argv)
  }
  const stage = argv.length === 1 ? STAGES.get(argv[0]!) : undefined
  if (stage) return stage()
  const { plasmAgent } = await import('./cli.ts')
  return plasmAgent(argv)
}
