/** What a shell takes as it stands; an `=` at the beginning means something to zsh. */
const PLAIN = /^[\w@%+:,./-][\w@%+=:,./-]*$/;
/** What acts on a terminal, or cannot be seen there: a pasted line break runs what stands before it. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Quote a word for a shell, so that it is one argument whatever it holds; an argument cannot hold NUL. */
export function quoteForShell(word: string): string {
  const text = word.replaceAll("\0", "");
  if (PLAIN.test(text)) return text;
  if (!UNSEEN.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  return `$'${Array.from(text, escapeInQuotes).join("")}'`;
}

/** Escape a character as its bytes in UTF-8, by which it is the same in each locale. */
function escapeInQuotes(character: string): string {
  if (!UNSEEN.test(character) && !/['\\!]/.test(character)) return character;
  return Array.from(new TextEncoder().encode(character), (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}

/** Option of a command with its value, which may begin with a dash. */
export const toOption = (flag: string, value: string) => (value.startsWith("-") ? [`${flag}=${value}`] : [flag, value]);
