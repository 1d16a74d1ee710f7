import type { Browsed } from './browse-program.ts'
import { node, onLinkPair } from './link-pair.ts'
import type { Speech } from './mdns-peer-program.ts'

/** A provider as a neighbour may announce it. */
export const GOOD = {
  ...{ label: 'plasmd-good', host: 'good', address: '10.77.0.9', from: '10.77.0.9' },
  txt: { generation: '1' },
}
export const GOOD_URL = 'http://10.77.0.9:8080'

/** Browses for so many milliseconds beside a neighbour that sends these packets, again and again. */
export function browseBeside(packets: Speech['packets'], { every = 300, browseMs = 2500 } = {}): Promise<Browsed> {
  const speech: Speech = { packets, every }
  return onLinkPair(
    node('mdns-peer-program.ts', `'${JSON.stringify(speech)}'`),
    node('browse-program.ts', `${browseMs}`),
  )
}

/** URLs of the candidates, in the order in which they were told, each as often as it was. */
export const found = ({ told }: Browsed): readonly string[] =>
  told.filter((candidate) => !('reason' in candidate)).map(({ url }) => url)

/** The same of those that were rejected, with the reason. */
export const rejected = ({ told }: Browsed): readonly string[] =>
  told.flatMap((candidate) => ('reason' in candidate ? [`${candidate.url}: ${candidate.reason}`] : []))
