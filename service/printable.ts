/** A text of somebody else's for a log that people read on a terminal: no control characters, nothing beyond ASCII, not endless. */
export function printable(text: string, max = 256): string {
  return text.slice(0, max).replace(/[^\x20-\x7e]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
