import { Link } from "@tanstack/react-router";
import { CircleUser, LogOut } from "lucide-react";
import { useState } from "react";
import { ACCESS_PAGES } from "@/access/AccessPage";
import { describeTenants, useMe } from "@/api/me";
import { signOut } from "@/api/session";
import { Button } from "@/ui/controls/button";
import { Time } from "@/ui/display/time";
import { Popover } from "@/ui/overlays/popover";
import { TenantSwitch } from "./TenantSwitch";

/** Who one is, of which tenants and until when; the pages of who has access; and the way out. */
export function Account() {
  const me = useMe();
  const [isOpen, setOpen] = useState(false);
  return (
    <Popover
      label="Account"
      align="end"
      open={isOpen}
      onOpenChange={setOpen}
      trigger={
        <Button kind="quiet" size="icon" aria-label="Account" title={me ? `${me.name}, ${me.role}` : "Account"}>
          <CircleUser aria-hidden size={16} />
        </Button>
      }
    >
      <div className="space-y-3">
        {me && (
          <div className="max-w-72">
            <p className="font-medium wrap-anywhere">
              <bdi>{me.name}</bdi>
            </p>
            <p className="wrap-anywhere">
              {me.role} of {describeTenants(me)}
            </p>
            {me.ends_at && (
              <p className="text-xs text-muted">
                The session ends <Time at={me.ends_at} />
              </p>
            )}
          </div>
        )}
        {/* On a phone there is no room for it above each page. */}
        <TenantSwitch className="w-full max-w-none sm:hidden" />
        <ul className="border-t pt-2">
          {ACCESS_PAGES.filter(({ reads }) => me?.may.includes(reads)).map(({ to, name }) => (
            <li key={to}>
              <Link
                to={to}
                search={{}}
                onClick={() => setOpen(false)}
                className="-mx-2 flex h-8 items-center rounded px-2 hover:bg-sunken pointer-coarse:h-11"
              >
                {name}
              </Link>
            </li>
          ))}
        </ul>
        <div className="border-t pt-3">
          <Button size="small" onClick={() => void signOut().finally(() => location.reload())}>
            <LogOut aria-hidden size={14} /> Sign out
          </Button>
        </div>
      </div>
    </Popover>
  );
}
