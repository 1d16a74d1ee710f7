import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RollingParts } from '../../agent/rolling-parts.ts'

/** The kernel that a test's agent seems to run on. */
export interface FakeKernel {
  /** The machine's; programs lie in its `bin`. */
  readonly directory: string
  readonly bootId: string
  readonly uptimeMs: number
  readonly trialMs: number
  readonly disk: boolean
}

/**
 * Keeps what it is given to load. No kernel starts here: with `-e` the agent ends at once, as the old kernel would; where
 * there is a file `refuse` it refuses all.
 */
const KEXEC = `#!/bin/sh
here=$(dirname "$0")
[ ! -e "$here/refuse" ] || { echo 'no kexec for you'; exit 1; }
[ "$1" != -e ] || { echo executed >>"$here/executed"; kill -9 $PPID; exit 1; }
printf '%s\\n' "$@" >"$here/args"
for word; do case $word in --initrd=*) cp "\${word#--initrd=}" "$here/initrd" ;; esac; done
while [ "$1" != -l ]; do shift; done
cp "$2" "$here/kernel"
`

const REBOOT = `#!/bin/sh
echo rebooted >>"$(dirname "$0")/rebooted"
`

export async function makeFakeKernel(directory: string): Promise<void> {
  const bin = join(directory, 'bin')
  await mkdir(bin)
  await writeFile(join(directory, 'kexec_load_disabled'), '0\n')
  for (const [name, text] of Object.entries({ kexec: KEXEC, reboot: REBOOT })) {
    await writeFile(join(bin, name), text)
    await chmod(join(bin, name), 0o755)
  }
}

/** In the agent's own process: its PATH finds the fake kexec first. */
export function rollingOn({ directory, bootId, uptimeMs, trialMs, disk }: FakeKernel): RollingParts {
  const bin = join(directory, 'bin')
  process.env.PATH = `${bin}:${process.env.PATH}`
  return {
    scratchDirectory: join(directory, 'scratch'),
    kexecLoadDisabledFile: join(directory, 'kexec_load_disabled'),
    dataDisk: () =>
      disk ? { device: '/dev/vda', mountPoint: directory, readOnly: false, label: 'PLASM-DATA' } : undefined,
    trialMs,
    uptimeMs: () => uptimeMs,
    bootId: () => bootId,
    reboot: [join(bin, 'reboot')],
  }
}

/** What was given to kexec, and the nonce of the kernel that it would have started. */
export async function kexeced(directory: string) {
  const read = (name: string) => readFile(join(directory, 'bin', name))
  await read('executed')
  const args = (await read('args')).toString('utf8')
  return {
    args: args.trim(),
    initrd: await read('initrd'),
    kernel: await read('kernel'),
    nonce: /plasm\.boot=([0-9a-f]{32})/.exec(args)![1]!,
  }
}
