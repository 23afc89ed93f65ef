/**
 * Frame for others' HTML, without scripts, forms, outside links or an origin; the console's response forbids fetching.
 */
export function HtmlFrame({ address, name }: { address: string; name: string }) {
  return (
    <iframe
      src={address}
      title={`Result ${name}, rendered`}
      sandbox=""
      referrerPolicy="no-referrer"
      className="h-[70dvh] w-full rounded border bg-white"
    />
  );
}
