/** PCM s16le mono as the protocol carries it: base64. */

const CHUNK = 0x8000;

/**
 * @param {ArrayBuffer} pcm
 * @returns {string}
 */
export function toBase64(pcm) {
  const bytes = new Uint8Array(pcm);
  let binary = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(binary);
}

/**
 * @param {string} text
 * @returns {ArrayBuffer}
 */
export function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
  return bytes.buffer;
}
