/** Somebody else's HTML: without scripts, forms, links out or an origin; the console's answer forbids what it would fetch. */
export function HtmlFrame({ address, name }: { address: string; name: string }) {
  return (
    <iframe
      src={address}
      title={`Result ${name}, rendered`}
      sandbox=""
      referrerPolicy="no-referrer"
      className="h-[60vh] w-full rounded border bg-white"
    />
  );
}
