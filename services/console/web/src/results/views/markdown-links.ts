const LINK = /^(https?:|mailto:|#)/i;
const IMAGE = /^data:image\/(png|jpeg|gif|webp|avif);base64,/i;

/**
 * Keep only safe addresses of a result's Markdown. A remote image would tell its host, without a click, that somebody
 * looks, and whatever its address carries: so it is dropped.
 */
export function keepSafeAddress(address: string, key: string): string {
  const wanted = address.trim();
  if (key === "src") return IMAGE.test(wanted) ? wanted : "";
  return LINK.test(wanted) ? wanted : "";
}
