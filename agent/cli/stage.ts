import type { AddCommand } from '../../service/add-command.ts'
import { EXIT } from '../../service/errors.ts'
import { answering } from './answering.ts'

const HELP = `
DIR holds manifest.dsse.json or manifest.json, and the artifacts, under their file names or their
role names. The manifest must be one that this machine trusts, for its channel and architecture.
Everything is copied while it is hashed, written to the disk, and only then served: whatever
happens on the way, a power cut too, the store serves the old set or the new one, whole. A set
that is served already is read and compared; nothing is written when it is right.

  plasm-agent stage /media/usb/stable/x86_64

While \`plasm-agent serve\` runs on the same store, put the set into an inbox instead (/tmp/boot).

Exit codes: 0 the store serves the set, 2 wrong usage, 65 the set is incomplete, damaged, older
than the one that is served or not trusted, 78 the configuration or the trust policy is wrong, 1
anything else (no room left, another agent, a failing disk).`

interface Options {
  readonly store?: string
  readonly json: boolean
}

export const addStage: AddCommand = (program, done) => {
  program
    .command('stage')
    .description('verify a boot set in a directory and put it into the store')
    .argument('<dir>', 'directory with manifest.json and the artifacts')
    .option('--store <dir>', 'the store to put it into, instead of the configured one')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', HELP)
    .action(async (directory: string, options: Options) => {
      done(await answering(options.json, () => run(directory, options)))
    })
}

async function run(directory: string, { json, ...options }: Options): Promise<number> {
  const { stage } = await import('../stage.ts')
  const result = await stage({ directory, ...options })
  const what = result.already ? 'is served already, and whole' : 'is whole and will be served'
  console.log(json ? JSON.stringify(result) : `${result.manifestDigest} ${what}: ${result.directory}`)
  return EXIT.ok
}
