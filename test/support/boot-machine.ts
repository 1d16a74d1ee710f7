import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BootParts } from '../../agent/boot-parts.ts'
import type { AgentEvent } from '../../agent/events.ts'

/** The files of a machine that runs the fetch stage in a test, with a `kexec` that keeps what it is given. */
export interface BootMachine {
  readonly directory: string
  readonly events: AgentEvent[]
  readonly parts: BootParts
  /** What kexec was given to load, once it was. */
  loaded(): Promise<{ readonly initrd: Buffer; readonly kernel: Buffer; readonly args: readonly string[] }>
  /** Resolves with the first event that fits. */
  event(fits: (event: AgentEvent) => boolean): Promise<AgentEvent>
  /** What failed before kexec, which cannot succeed here. */
  failures(): readonly { step: string; code: string; provider: string | undefined }[]
  remove(): Promise<void>
}

/** Keeps the files and the arguments; refuses to be kexec -e's success, since no kernel starts here. */
const KEXEC = `#!/bin/sh
if [ "$1" = -e ]; then exit 1; fi
for word; do case $word in --initrd=*) cp "\${word#--initrd=}" "$(dirname "$0")/loaded-initrd" ;; esac; done
while [ "$1" != -l ]; do shift; done
cp "$2" "$(dirname "$0")/loaded-kernel"
`

export async function makeMachine(cmdline: string, trust = 'allow_unsigned = true\n'): Promise<BootMachine> {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-boot-'))
  const file = async (name: string, text: string) => {
    await writeFile(join(directory, name), text)
    return join(directory, name)
  }
  const bin = join(directory, 'bin')
  await mkdir(bin)
  await file('bin/kexec', KEXEC.replace('#!/bin/sh\n', `#!/bin/sh\nprintf '%s\\n' "$@" >>"${bin}/args"\n`))
  await chmod(join(bin, 'kexec'), 0o755)
  process.env.PATH = `${bin}:${process.env.PATH}`
  const events: AgentEvent[] = []
  const waiting = new Set<() => void>()
  const sink = (event: AgentEvent) => {
    events.push(event)
    for (const look of waiting) look()
  }
  return {
    directory,
    events,
    parts: {
      sinks: [sink],
      openReporter: () => ({ sink: () => {}, flush: async () => {} }),
      sources: {
        cmdlineFile: await file('cmdline', `${cmdline}\n`),
        tomlFile: join(directory, 'agent.toml'),
        netDir: join(directory, 'net'),
        machineIdFile: join(directory, 'machine-id'),
      },
      trustFile: await file('policy.toml', trust),
      kexecLoadDisabledFile: await file('kexec_load_disabled', '0\n'),
      scratchDirectory: join(directory, 'scratch'),
      stateDirectory: join(directory, 'state'),
      runDirectory: join(directory, 'run'),
      // Nothing is browsed: these tests stay on loopback.
      discovery: { deadlineMs: 300, addresses: () => new Set<string>() },
      transferLimits: { connectMs: 500, headersMs: 500, stallMs: 500, tries: 3, pauseMs: 5 },
    },
    async loaded() {
      const read = (name: string) => readFile(join(bin, name))
      const args = (await read('args')).toString('utf8').trim().split('\n')
      return { initrd: await read('loaded-initrd'), kernel: await read('loaded-kernel'), args }
    },
    event(fits) {
      return new Promise((resolve) => {
        const look = () => {
          const found = events.find(fits)
          if (!found) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      })
    },
    failures: () =>
      events.flatMap((event) =>
        event.type === 'step-failed' && event.step !== 'kexec-exec'
          ? [{ step: event.step, code: event.error.code, provider: event.provider }]
          : [],
      ),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}
