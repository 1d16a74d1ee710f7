import { Command, CommanderError } from 'commander'
import { hostArch, parseArch } from '../service/arch.ts'
import { asArgument, checkOption } from '../service/cli-argument.ts'
import { asPlasmError, EXIT } from '../service/errors.ts'
import { checkPlasmdProgram } from '../service/plasmd-program.ts'
import { pointToHelp, readableHelp } from '../service/readable-help.ts'
import { versionLine } from '../service/version.ts'
import { buildImages, IMAGES } from './build.ts'
import { whileNoOtherBuilds } from './build-lock.ts'
import type { Trust } from './checkout-trust.ts'
import { publishRelease } from './publish.ts'
import { parseRootfs, ROOTFS_FLAVOURS } from './rootfs-flavour.ts'

const EXAMPLES = `
Examples:
  plasm-images build --arch arm64
      builds kernel and initramfs from Debian packages, unless they are up to date
  plasm-images build --locked build/images/stable/x86_64/inputs.json
      builds from exactly those packages again, or says which is gone
  plasm-images build --trust etc/trust --sign-key publisher.key
      builds images that trust policy.toml and keys/*.pub in etc/trust alone (docs/trust.md)
  plasm-images build --plasmd target/x86_64-unknown-linux-musl/release/plasmd
      bakes in that static program in place of our plasmd (docs/concept.md)
  plasm-images build --rootfs minimal --out site-images
      adds the system that machines run after kexec; it is fetched, verified and served on like the
      rest of the set
  plasm-images publish --release 2026.11 --sequence 7 --out site
      writes site/stable/<arch>/ with a signed release of its own, which
      \`plasmd serve --artifacts site\` serves

Without --trust, images trust a throw-away key of this checkout (build/trust, build/keys), and
everything is signed with it.

Exit codes: 0 done, 1 failed, 2 usage.
`

/** What takes unsigned sets is a small segment of the initramfs; a rootfs is built once for all releases. */
const UNSIGNED_ROOTFS = 'error: --unsigned is for sets without a rootfs, whose policy takes signed sets only'

function program(): Command {
  const images = readableHelp(new Command('plasm-images'))
    .description('Builds the images that machines boot, and publishes releases of them.')
    .version(versionLine('plasm-images'))
    .addHelpText('after', EXAMPLES)
    .exitOverride()
  const arch = [
    '-A, --arch <arch>',
    'x86_64 (also amd64) or arm64 (also aarch64)',
    asArgument(parseArch),
    hostArch(),
  ] as const
  const trust = ['--trust <dir>', 'directory with policy.toml and keys/*.pub to bake into the image'] as const
  const signKey = ['--sign-key <file>', 'private key to sign the manifest with, one that the policy trusts'] as const
  const rootfs = [
    '--rootfs <flavour>',
    `system of the serve stage that the set brings: ${ROOTFS_FLAVOURS.join(' or ')}, or none, the initramfs itself (default: none)`,
    asArgument(parseRootfs),
  ] as const
  images
    .command('build')
    .description('build <out>/<channel>/<arch>/: kernel, initramfs, manifest.json, manifest.dsse.json, inputs.json')
    .option(...arch)
    .option('-c, --channel <channel>', 'channel to build for', 'stable')
    .option('-o, --out <dir>', 'where to', IMAGES)
    .option('--locked <inputs.json>', 'build from exactly these packages')
    .option('--plasmd <file>', 'a static program that speaks as plasmd does, to bake in instead of ours')
    .option(...rootfs)
    .option('--refresh', 'take the current version of every package and build anew', false)
    .option(...trust)
    .option(...signKey)
    .action(async ({ trust, signKey, ...options }, command: Command) => {
      const given = trustOf(command, trust, signKey)
      const { plasmd, arch } = options
      // A wrong name need not wait for another build to end.
      if (plasmd !== undefined) await checkOption(command, '--plasmd <file>', () => checkPlasmdProgram(plasmd, arch))
      await whileNoOtherBuilds(() => buildImages({ locked: undefined, ...options, ...given }))
    })
  images
    .command('publish')
    .description('write a release of the built images, with a manifest of its own')
    .option(...arch)
    .option('-c, --channel <channel>', 'channel', 'stable')
    .option('-i, --images <dir>', 'what `build --out` was given', IMAGES)
    .requiredOption('-o, --out <dir>', 'directory to write <channel>/<arch>/ into')
    .requiredOption('--release <text>', 'goes into /etc/plasm/release of the image')
    .requiredOption('--sequence <n>', "the manifest's sequence, above the last release's", asArgument(parseSequence))
    .option(...rootfs)
    .option('--unsigned', 'for tests: sign nothing, and make an image that takes unsigned sets', false)
    .option(...trust)
    .option(...signKey)
    .action(async ({ trust, signKey, ...options }, command: Command) => {
      const given = trustOf(command, trust, signKey)
      if (options.unsigned && options.rootfs) command.error(UNSIGNED_ROOTFS)
      await whileNoOtherBuilds(() => publishRelease({ ...options, ...given }))
    })
  return images
}

/** Nothing where neither is given: then the checkout's own counts. */
function trustOf(
  command: Command,
  directory: string | undefined,
  signingKey: string | undefined,
): { readonly trust?: Trust } {
  if (directory !== undefined) return { trust: { directory, signingKey } }
  if (signingKey === undefined) return {}
  return command.error('error: --sign-key needs --trust, the directory that says that machines trust that key')
}

function parseSequence(text: string): number {
  const sequence = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(sequence)) throw new Error('is not a whole number')
  return sequence
}

try {
  await pointToHelp(program()).parseAsync()
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
