const PLAIN = /^[ -~]*$/;

/** A stranger's text within a text of ours where no element can stand around it: its direction stays its own. */
export function isolateText(text: string): string {
  return PLAIN.test(text) ? text : `\u2068${text}\u2069`;
}
