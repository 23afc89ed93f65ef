import { CODE_COLOURED_CHARS } from "@/results/model/limits";
import type { Token } from "./blocks";

/** Give the words of code their colours, by its language; code of another language has none. */
export async function colourCode(code: string, language: string | undefined): Promise<Token[]> {
  if (!language || code.length > CODE_COLOURED_CHARS) return [[code]];
  const { highlight } = await import("./languages");
  return highlight(code, language.toLowerCase()) ?? [[code]];
}
