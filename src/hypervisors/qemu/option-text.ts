/** QEMU's option strings end at a comma; a doubled one stands for itself. */
export function escaped(text: string): string {
  return text.replaceAll(',', ',,');
}
