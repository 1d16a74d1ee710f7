import { basename } from 'node:path'

/** Entry of the one executable (DESIGN decision 1): the name it is called by picks the program. */
async function main(): Promise<number> {
  const argv = process.argv.slice(2)
  if (basename(process.argv0) === 'plasmd') {
    const { plasmd } = await import('../service/cli.ts')
    return plasmd(argv)
  }
  const { plasmAgent } = await import('./cli.ts')
  return plasmAgent(argv)
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (thrown: unknown) => {
    console.error(thrown)
    process.exitCode = 1
  },
)
