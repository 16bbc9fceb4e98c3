/**
 * Text as it is safe to show on a terminal: control characters and those that change how text
 * runs (such as U+202E) are escaped, line ends too.
 */
export function visible(text: string): string {
  return text.replaceAll(unsafe, (character) => escapes[character] ?? escaped(character));
}

/** Text cut in the middle when it is longer than `most` characters, with its length. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const half = Math.floor(most / 2);
  return `${text.slice(0, half)}… (${text.length} characters) …${text.slice(-half)}`;
}

function escaped(character: string): string {
  const digits = (character.codePointAt(0) ?? 0).toString(16).padStart(4, '0');
  return digits.length > 4 ? `\\u{${digits}}` : `\\u${digits}`;
}

const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
