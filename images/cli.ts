import { Command, CommanderError } from 'commander'
import { hostArch, parseArch } from '../service/arch.ts'
import { asArgument } from '../service/cli-argument.ts'
import { asPlasmError, EXIT } from '../service/errors.ts'
import { versionLine } from '../service/version.ts'
import { buildImages, IMAGES } from './build.ts'
import { whileNoOtherBuilds } from './build-lock.ts'
import { publishRelease } from './publish.ts'

const EXAMPLES = `
Examples:
  plasm-images build --arch arm64
      builds kernel and initramfs from Debian packages, unless they are up to date
  plasm-images build --locked build/images/stable/x86_64/inputs.json
      builds from exactly those packages again, or says which is gone
  plasm-images publish --release 2026.11 --sequence 7 --out site
      writes site/stable/<arch>/ with a release of its own, ready for \`plasmd serve --artifacts site\`

Exit codes: 0 done, 1 failed, 2 usage.
`

function program(): Command {
  const images = new Command('plasm-images')
    .description('Builds the images that machines boot, and publishes releases of them.')
    .version(versionLine('plasm-images'))
    .addHelpText('after', EXAMPLES)
    .exitOverride()
  const arch = ['-A, --arch <arch>', 'x86_64 or arm64', asArgument(parseArch), hostArch()] as const
  images
    .command('build')
    .description('build <out>/<channel>/<arch>/{kernel,initramfs,manifest.json,inputs.json}')
    .option(...arch)
    .option('-c, --channel <channel>', 'channel to build for', 'stable')
    .option('-o, --out <dir>', 'where to', IMAGES)
    .option('--locked <inputs.json>', 'build from exactly these packages')
    .option('--refresh', 'take the current version of every package and build anew', false)
    .action(async (options) => void (await whileNoOtherBuilds(() => buildImages({ locked: undefined, ...options }))))
  images
    .command('publish')
    .description('write a release of the built images, with a manifest of its own')
    .option(...arch)
    .option('-c, --channel <channel>', 'channel', 'stable')
    .requiredOption('-o, --out <dir>', 'where to')
    .requiredOption('--release <text>', 'goes into /etc/plasm/release of the image')
    .requiredOption('--sequence <n>', "the manifest's sequence, above the last release's", asArgument(parseSequence))
    .action((options) => whileNoOtherBuilds(() => publishRelease(options)))
  return images
}

function parseSequence(text: string): number {
  const sequence = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(sequence)) throw new Error('is not a whole number')
  return sequence
}

try {
  await program().parseAsync()
} catch (thrown) {
  if (thrown instanceof CommanderError) {
    process.exitCode = thrown.exitCode === 0 ? EXIT.ok : EXIT.usage
  } else {
    const { code, message, hint, cause } = asPlasmError(thrown)
    process.stderr.write(`plasm-images: ${message} [${code}]\n${hint ? `  ${hint}\n` : ''}`)
    if (code === 'unexpected' || code === 'apt-failed') process.stderr.write(`${(cause as Error)?.stack ?? ''}\n`)
    process.exitCode = EXIT.failed
  }
}
