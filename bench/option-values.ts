/**
 * A count of an option of the command line.
 * @throws TypeError that names the option
 */
export function countOption(option: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new TypeError(`${option} ${text}: not a number from 1 on`);
}

/** Where the plot of figures goes when nobody says: beside them. */
export function svgBeside(json: string): string {
  return `${json.replace(/\.json$/, '')}.svg`;
}
