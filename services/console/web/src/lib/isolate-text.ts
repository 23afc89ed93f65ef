const PLAIN = /^[ -~]*$/;

/** Isolate the writing direction of others' text by Unicode marks, where no element can surround it. */
export function isolateText(text: string): string {
  return PLAIN.test(text) ? text : `\u2068${text}\u2069`;
}
