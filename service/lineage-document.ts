/** The file that holds a lineage (store-layout.ts: `.lineage.json`), apart from what reads one: writing it takes no cryptography. */
export const lineageDocument = (envelopes: readonly unknown[]): Buffer => Buffer.from(`${JSON.stringify(envelopes)}\n`)
