const LINK = /^(https?:|mailto:|#)/i;
const IMAGE = /^data:image\/(png|jpeg|gif|webp|avif);base64,/i;

/**
 * Which addresses of a result's Markdown stay. A remote image would tell a stranger that somebody looks, and whatever
 * its address holds, without a click: so it is dropped.
 */
export function keepSafeAddress(address: string, key: string): string {
  const wanted = address.trim();
  if (key === "src") return IMAGE.test(wanted) ? wanted : "";
  return LINK.test(wanted) ? wanted : "";
}
