import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { GuestPlace, Participant } from './addresses.ts'
import type { ChainSpec, Emit } from './chain-spec.ts'
import { discoveryWords } from './discovery-words.ts'
import { FORMAT_BLANK_DISK } from './disk-image.ts'
import { type Machine, startMachine } from './machine.ts'
import { type ProgressTeller, tellProgress } from './machine-progress.ts'
import { type Accelerator, guestCommandLine } from './qemu-args.ts'
import type { Received, ReportServer } from './report-server.ts'

/** A machine of the chain, and what it has reported so far. */
export interface Guest {
  readonly place: GuestPlace
  readonly runId: string
  readonly machine: Machine
  /** Bound to it by its signed reports; null before the first. */
  peerId(): string | null
  /** What it reported; grows. */
  readonly events: readonly Received[]
  readonly progress: ProgressTeller
}

/** Starts a machine from the boot media, with a run id and a token of its own. @throws PlasmError `machine-failed` */
export async function startGuest(
  place: GuestPlace,
  given: {
    spec: ChainSpec
    accel: Accelerator
    reportServer: ReportServer
    emit: Emit
    /** Live providers that it can reach: named to it where discovery asks for that. */
    neighbours?: ReadonlyArray<Pick<Participant, 'address'>>
    parameters?: readonly string[]
    /** Image of its disk; a blank one becomes its data disk. */
    disk?: string | undefined
  },
): Promise<Guest> {
  const { spec, accel, reportServer, disk } = given
  const runId = randomUUID()
  const token = randomBytes(32).toString('hex')
  const events: Received[] = []
  const progress = tellProgress(place.name, given.emit)
  reportServer.enrol({ runId, token, address: place.address }, (received) => {
    events.push(received)
    progress.ofEvent(received.event)
  })
  progress.state('running', 'starting')
  const machine = await startMachine(
    {
      name: place.name,
      arch: spec.arch,
      accel,
      memoryMiB: spec.memoryMiB,
      kernel: join(spec.mediaDir, 'kernel'),
      initramfs: join(spec.mediaDir, 'initramfs'),
      commandLine: guestCommandLine({
        accel,
        arch: spec.arch,
        channel: spec.channel,
        runId,
        token,
        reportUrl: reportServer.url,
        discovery: discoveryWords(spec.discovery, given.neighbours ?? []),
        more: [...(disk === undefined ? [] : [FORMAT_BLANK_DISK]), ...(given.parameters ?? [])],
      }),
      network: { tap: place.port, mac: place.mac },
      disks: disk === undefined ? [] : [{ file: disk, readOnly: false }],
    },
    spec.runDir,
    ({ text }) => progress.ofLine(text),
  )
  progress.state('running', 'firmware')
  return { place, runId, machine, peerId: () => reportServer.peerOf(runId), events, progress }
}
