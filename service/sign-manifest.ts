import type { KeyObject } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { payloadOf } from './derived-manifest.ts'
import {
  ENVELOPE_FILE,
  type Envelope,
  envelopeDocument,
  MANIFEST_PAYLOAD_TYPE,
  pae,
  parseEnvelope,
  signPayload,
} from './dsse.ts'
import { keyIdOf, rawPublicKey, verifyStrict } from './ed25519.ts'
import { PlasmError } from './errors.ts'
import { SEQUENCE_MAX } from './freshness.ts'
import { MANIFEST_FILE, parsePayload } from './manifest.ts'
import { isEnvelope } from './manifest-source.ts'

/** An envelope with one more signature, and where it belongs. */
export interface SignedDocument {
  readonly bytes: Buffer
  readonly directory: string
  readonly name: string
  readonly envelope: Envelope
}

/**
 * Signs what lies in a directory, or a document: makes the envelope of a plain manifest, or adds to the one that is there, so
 * that several people can sign one after another. Writes nothing.
 * @throws PlasmError `manifest-missing` | `manifest-invalid` | `envelope-invalid` | `envelope-differs` | `already-signed` | `sequence-absurd`
 */
export async function signManifest(where: string, privateKey: KeyObject): Promise<SignedDocument> {
  const isDirectory = (await stat(where).catch(() => undefined))?.isDirectory() ?? false
  const directory = isDirectory ? where : dirname(where)
  const given = await readIfThere(isDirectory ? join(where, MANIFEST_FILE) : where)
  const givenEnvelope = given !== undefined && isEnvelope(given)
  const name = givenEnvelope ? basename(where) : ENVELOPE_FILE
  const before = givenEnvelope ? given : await readIfThere(join(directory, name))
  if (!given && !before) throw missing(where)
  const existing = before && parseEnvelope(before, MANIFEST_PAYLOAD_TYPE)
  const payload = given && !givenEnvelope ? payloadOf(given) : existing!.payload
  if (existing && !existing.payload.equals(payload)) throw differs(join(directory, name))
  const { sequence } = parsePayload(payload)
  if (sequence > SEQUENCE_MAX) throw absurd(sequence)
  const signatures = existing?.signatures ?? []
  refuseTwice(payload, signatures, privateKey)
  const envelope: Envelope = {
    payloadType: MANIFEST_PAYLOAD_TYPE,
    payload,
    signatures: [...signatures, signPayload(MANIFEST_PAYLOAD_TYPE, payload, privateKey)],
  }
  const bytes = envelopeDocument(envelope)
  // What a client would refuse must not be published: too many signatures, for one.
  parseEnvelope(bytes, MANIFEST_PAYLOAD_TYPE)
  return { bytes, directory, name, envelope }
}

function refuseTwice(payload: Buffer, signatures: Envelope['signatures'], privateKey: KeyObject): void {
  const publicKey = rawPublicKey(privateKey)!
  const message = pae(MANIFEST_PAYLOAD_TYPE, payload)
  if (!signatures.some(({ sig }) => verifyStrict(publicKey, message, sig))) return
  const key = keyIdOf(publicKey)
  throw new PlasmError('already-signed', `${key} has signed this already, and a key counts once`, {
    facts: { key },
    hint: 'sign with another key, or leave it as it is',
  })
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  return readFile(file).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return undefined
    throw thrown
  })
}

function missing(where: string): PlasmError {
  return new PlasmError('manifest-missing', `there is no manifest at ${where}`, {
    facts: { from: where },
    hint: 'make one first: `plasmd manifest generate DIR`',
  })
}

function differs(file: string): PlasmError {
  return new PlasmError('envelope-differs', `${file} is about another manifest than the one beside it`, {
    facts: { file },
    hint: 'remove the one that is out of date; `plasmd manifest generate` removes an old envelope by itself',
  })
}

function absurd(sequence: number): PlasmError {
  return new PlasmError(
    'sequence-absurd',
    `machines refuse a sequence above ${SEQUENCE_MAX}, and this is ${sequence}`,
    {
      facts: { field: 'sequence', sequence, maximum: SEQUENCE_MAX },
      hint: 'count releases, or seconds',
    },
  )
}
