import { urlProblem } from '../service/address-problem.ts'
import { type Arch, canonicalArch } from '../service/arch.ts'
import type { ProviderDocument } from '../service/dht/provider-document.ts'
import { type ReadRecord, readValueRecord } from '../service/dht/value-record.ts'
import { hostAndPort } from '../service/url-host.ts'
import type { Candidate, RejectedCandidate } from './candidate.ts'

interface Place {
  readonly channel: string
  readonly arch: Arch
}

/** Turns a value record into a place to ask, or says why not. */
export function judgeValue(value: Uint8Array, place: Place, own: ReadonlySet<string>): Candidate | RejectedCandidate {
  const record: ReadRecord = readValueRecord(value, place)
  if (!('url' in record)) return { ...candidateAt(record.said), reason: record.problem }
  return judged(candidateAt(record.url), own)
}

/**
 * Turns what a peer says into places to ask, that at the address by which it was asked first: that one certainly reaches it.
 * @param peer peerId: by which it was asked, which it has proven; at: what stands for it where it names no place to ask, since what it says
 * of another one's place must not count as that one's
 * @returns at least one
 */
export function judgeDocument(
  { document, host }: { document: ProviderDocument; host: string | undefined },
  { peerId, at }: { peerId: string; at: string },
  place: Place,
  own: ReadonlySet<string>,
): ReadonlyArray<Candidate | RejectedCandidate> {
  const { machine, generation, sequence, version, load, set } = document
  const claims = {
    name: machine ?? null,
    generation: generation ?? null,
    peerId,
    ...(sequence == null ? {} : { sequence }),
    ...(version == null ? {} : { version }),
    ...(load == null ? {} : { load }),
    ...(set == null ? {} : { set }),
  }
  const wrong = problemIn(document, peerId, place)
  if (wrong !== undefined) return [{ ...candidateAt(at), ...claims, reason: wrong }]
  const read = document.urls.map((url) => readValueRecord(Buffer.from(url), place))
  return read
    .map((one) => {
      if (!('url' in one)) return { ...candidateAt(at), ...claims, reason: one.problem }
      return judged({ ...candidateAt(one.url), ...claims }, own)
    })
    .sort((a, b) => Number(isAt(b, host)) - Number(isAt(a, host)))
}

function problemIn({ urls, channel, arch, peerId: calls }: ProviderDocument, peerId: string, wanted: Place) {
  if (urls.length === 0) return 'it says that it serves nothing at the moment'
  if (channel !== wanted.channel) return `it serves channel ${channel}, not ${wanted.channel}`
  if (canonicalArch(arch) !== wanted.arch) return `it serves ${arch}, not ${wanted.arch}`
  if (calls != null && calls !== peerId) return `it calls itself ${calls}, and is ${peerId}`
  return undefined
}

const candidateAt = (url: string): Candidate => ({ url, source: 'dht', name: null, generation: null })

function judged(candidate: Candidate, own: ReadonlySet<string>): Candidate | RejectedCandidate {
  const reason = urlProblem(candidate.url, own)
  return reason === undefined ? candidate : { ...candidate, reason }
}

const isAt = ({ url }: Candidate, host: string | undefined) =>
  host !== undefined && URL.canParse(url) && hostAndPort(new URL(url)).host === host
