/**
 * Turning bytes into text, whatever wrote them. Exports name one encoding and hold another: what `schtasks` writes into a
 * pipe declares UTF-16 and comes in the console's code page. So only the bytes count.
 */

/**
 * The text of a file. A byte-order mark decides; else NUL bytes at every other place mean UTF-16; else it is UTF-8 where
 * all of it is valid, and windows-1252 where not, in which every byte means something. A code page of the console
 * (437, 850) can't be told from that: its letters beyond ASCII come out wrong, and `guessed` says so.
 */
export function decodeText(bytes: Uint8Array): { readonly text: string; readonly guessed: boolean } {
  const [first, second, third] = bytes;
  if (first === 0xff && second === 0xfe) return { text: decodeUtf16(bytes.subarray(2), true), guessed: false };
  if (first === 0xfe && second === 0xff) return { text: decodeUtf16(bytes.subarray(2), false), guessed: false };
  if (first === 0xef && second === 0xbb && third === 0xbf) {
    return { text: new TextDecoder('utf-8').decode(bytes.subarray(3)), guessed: false };
  }
  const order = guessOrder(bytes);
  if (order !== null) return { text: decodeUtf16(bytes, order === 'little'), guessed: false };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), guessed: false };
  } catch {
    return { text: decodeWindows(bytes), guessed: true };
  }
}

/** Markup and schedules are mostly ASCII, which in UTF-16 has a NUL in every pair. */
function guessOrder(bytes: Uint8Array): 'little' | 'big' | null {
  const pairs = Math.min(bytes.length >> 1, 200);
  if (pairs < 2) return null;
  let even = 0;
  let odd = 0;
  for (let pair = 0; pair < pairs; pair += 1) {
    if (bytes[2 * pair] === 0) even += 1;
    if (bytes[2 * pair + 1] === 0) odd += 1;
  }
  if (odd > pairs * 0.6 && even < pairs * 0.2) return 'little';
  if (even > pairs * 0.6 && odd < pairs * 0.2) return 'big';
  return null;
}

function decodeUtf16(bytes: Uint8Array, little: boolean): string {
  // Files that were joined have a mark at each seam.
  return new TextDecoder(little ? 'utf-16le' : 'utf-16be').decode(bytes).replaceAll('\uFEFF', '');
}

/** What windows-1252 has where Latin-1 has control characters; Node 20 takes the two for one. */
const windows = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

function decodeWindows(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return text.replace(/[\x80-\x9f]/g, (character) => windows.charAt(character.charCodeAt(0) - 0x80));
}
