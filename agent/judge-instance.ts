import { isIP } from 'node:net'
import { addressProblem } from '../service/address-problem.ts'
import { canonicalArch } from '../service/arch.ts'
import type { ServiceInstance } from '../service/dns-sd.ts'
import { isLinkLocal, isOnLink, type Link, ownLinks } from '../service/own-links.ts'
import { printable } from '../service/printable.ts'
import { bestAddress, bestFirst, placeOf } from '../service/provider-place.ts'
import type { Candidate, RejectedCandidate } from './candidate.ts'
import type { AgentConfig } from './config.ts'

/** What is advertised is shown to people, and cut: anybody can advertise anything. */
const SHOWN = 64
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/** Of a provider's other addresses so many are tried: each may take seconds. */
const ALSO_MAX = 3

const BEYOND = 'its address is on no link of this machine, and it asks nobody beyond (phase.mode)'

/**
 * Turns an advertised instance into a place to ask, or says why not. All of it is safe to print.
 * @param own this machine's addresses
 */
export function judgeInstance(
  { label, target, port, addresses, sender, txt }: ServiceInstance,
  wanted: Pick<AgentConfig, 'channel' | 'arch' | 'mode'>,
  own: ReadonlySet<string>,
  links: readonly Link[] = ownLinks(),
): Candidate | RejectedCandidate {
  const usable = addresses.filter((address) => addressProblem(address, port, own) === undefined)
  const near = usable.filter((address) => [...own].some((ours) => familyOf(ours) === familyOf(address)))
  const isNear = (address: string) => links.some((link) => isOnLink(link, address))
  const address = [near.filter(isNear), near, usable, addresses].flatMap((some) => bestAddress(some, sender) ?? [])[0]!
  const onLink = isNear(address)
  const others = near.filter((other) => other !== address && (isNear(other) || wanted.mode === 'internet'))
  const machine = txt.get('machine') || label
  // A neighbour may name any address, and this machine would send packets there.
  const mayAsk = onLink || wanted.mode === 'internet'
  const nowhere = addressProblem(address, port, own) ?? (mayAsk ? undefined : BEYOND)
  const { dhtPort, ...claims } = claimed(txt)
  const candidate: Candidate = {
    ...placeOf(target, port, address),
    source: 'mdns',
    name: printable(machine, SHOWN),
    generation: numberIn(txt.get('generation'), 6) ?? null,
    ...claims,
    // Whoever has another channel is a neighbour to join the DHT by, but not one that names a place where it cannot be.
    ...(dhtPort === undefined || nowhere !== undefined ? {} : { dhtPort }),
    onLink,
    ...(others.length > 0 ? { also: bestFirst(others, sender).slice(0, ALSO_MAX) } : {}),
  }
  const channel = txt.get('channel') ?? wanted.channel
  const arch = txt.get('arch') ?? wanted.arch
  const reason =
    CONTROL.test(label) || CONTROL.test(machine)
      ? 'its name has control characters'
      : channel !== wanted.channel
        ? `it serves channel ${printable(channel, SHOWN)}, not ${wanted.channel}`
        : canonicalArch(arch) !== wanted.arch
          ? `it serves ${printable(arch, SHOWN)}, not ${wanted.arch}`
          : nowhere
  return reason === undefined ? candidate : { ...candidate, reason }
}

/** A machine without an address of a family reaches nobody by it; link-local is one of its own here. */
const familyOf = (address: string): number => (isLinkLocal(address) ? 0 : isIP(address))

type Claims = Pick<Candidate, 'sequence' | 'version' | 'load' | 'set' | 'peerId' | 'dhtPort'>

/** Claims that are not of the form that they must have are no claims. */
function claimed(txt: ReadonlyMap<string, string>): Claims {
  const fitting = (key: string, form: RegExp) => form.exec(txt.get(key) ?? '')?.[0]
  const [version, set, peerId] = [
    fitting('version', /^[\x21-\x7e]{1,64}$/),
    fitting('set', /^[0-9a-f]{12}$/),
    fitting('peer_id', /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/),
  ]
  const [sequence, load, dhtPort] = [
    numberIn(txt.get('sequence'), 15),
    numberIn(txt.get('load'), 6),
    numberIn(txt.get('dht_port'), 5),
  ]
  return {
    ...(sequence === undefined ? {} : { sequence }),
    ...(version === undefined ? {} : { version }),
    ...(load === undefined ? {} : { load }),
    ...(set === undefined ? {} : { set }),
    ...(peerId === undefined ? {} : { peerId }),
    ...(dhtPort === undefined || dhtPort < 1 || dhtPort > 65535 ? {} : { dhtPort }),
  }
}

function numberIn(text: string | undefined, digits: number): number | undefined {
  return text !== undefined && text.length <= digits && /^\d+$/.test(text) ? Number(text) : undefined
}
