import { Keyboard, Settings2 } from "lucide-react";
import { useSingleKeyShortcuts } from "@/lib/shortcuts";
import { type Theme, useTheme } from "@/lib/use-theme";
import { Button } from "@/ui/controls/button";
import { Checkbox, RadioGroup } from "@/ui/controls/field";
import { useZone, type Zone } from "@/ui/display/time";
import { Popover } from "@/ui/overlays/popover";

const THEMES: [Theme, string][] = [
  ["system", "as the system"],
  ["light", "light"],
  ["dark", "dark"],
];
const ZONES: [Zone, string][] = [
  ["local", Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll("_", " ")],
  ["UTC", "UTC"],
];

/** Settings kept in this browser: theme, time zone, shortcuts. */
export function Settings({ onHelp }: { onHelp: () => void }) {
  const [theme, setTheme] = useTheme();
  const [zone, setZone] = useZone();
  const [isOn, setOn] = useSingleKeyShortcuts();
  // When the local zone is UTC, it is labelled "local".
  const zones = ZONES[0]?.[1] === "UTC" ? ZONES.with(0, ["local", "local"]) : ZONES;
  return (
    <Popover
      label="Settings"
      align="end"
      trigger={
        <Button kind="quiet" size="icon" aria-label="Settings" title="Settings">
          <Settings2 aria-hidden size={16} />
        </Button>
      }
    >
      <div className="space-y-3">
        <RadioGroup label="Theme" choices={THEMES} value={theme} onChange={setTheme} />
        <RadioGroup label="Times in" choices={zones} value={zone} onChange={setZone} />
        <label className="flex min-h-6 items-center gap-2 border-t pt-3">
          <Checkbox checked={isOn} onChange={(event) => setOn(event.target.checked)} />
          Single keys are shortcuts
        </label>
        <div className="border-t pt-3">
          <Button size="small" onClick={onHelp}>
            <Keyboard aria-hidden size={14} /> Keyboard help
          </Button>
        </div>
      </div>
    </Popover>
  );
}
