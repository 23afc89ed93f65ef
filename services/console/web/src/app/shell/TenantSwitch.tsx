import { chooseTenant, useTenant, useTenantNames } from "@/api/tenants";
import { cn } from "@/lib/cn";
import { Select } from "@/ui/controls/field";

/** Choice of the tenant whose things are shown and made; there is none for who is of one. */
export function TenantSwitch({ className }: { className?: string }) {
  const names = useTenantNames();
  const tenant = useTenant();
  if (names.length < 2) return null;
  return (
    <Select
      aria-label="Tenant"
      className={cn("w-auto max-w-40", className)}
      value={tenant ?? ""}
      onChange={({ target: { value } }) => chooseTenant(value || null)}
    >
      <option value="">All tenants</option>
      {names.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </Select>
  );
}
