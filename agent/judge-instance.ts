import { canonicalArch } from '../service/arch.ts'
import type { ServiceInstance } from '../service/dns-sd.ts'
import { addressProblem, type Candidate, type RejectedCandidate } from './candidate.ts'

/** Turns an advertised instance into a place to ask, or says why not. */
export function judgeInstance(
  { label, port, addresses, sender, txt }: ServiceInstance,
  wanted: { readonly channel: string; readonly arch: string },
  own: ReadonlySet<string>,
): Candidate | RejectedCandidate {
  const usable = addresses.filter((address) => addressProblem(address, port, own) === undefined)
  const address = usable.includes(sender) ? sender : (usable[0] ?? addresses[0]!)
  const claimed = txt.get('generation') ?? ''
  const sequence = txt.get('sequence') ?? ''
  const candidate: Candidate = {
    url: `http://${address}:${port}`,
    source: 'mdns',
    name: txt.get('machine') || label,
    generation: /^\d{1,6}$/.test(claimed) ? Number(claimed) : null,
    ...(/^\d{1,15}$/.test(sequence) ? { sequence: Number(sequence) } : {}),
  }
  const channel = txt.get('channel') ?? wanted.channel
  const arch = txt.get('arch') ?? wanted.arch
  const reason =
    channel !== wanted.channel
      ? `it serves channel ${channel}, not ${wanted.channel}`
      : canonicalArch(arch) !== wanted.arch
        ? `it serves ${arch}, not ${wanted.arch}`
        : addressProblem(address, port, own)
  return reason === undefined ? candidate : { ...candidate, reason }
}
