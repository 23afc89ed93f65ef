"""The command `signoff doctor`."""

import typer

from cli import doctor_checks
from cli.errors import ExitStatus
from cli.session import Session, command, make_app
from cli.terminal import Styled

app = make_app()


@command(app, "doctor")
async def doctor(cli: Session) -> None:
    """Check every part, and say what is wrong and what to do; succeed if nothing is, warnings aside."""
    checks = await doctor_checks.check_all(cli.target)
    is_well = all(check.ok for check in checks)
    cli.out.print_json({"ok": is_well, "checks": [vars(check) for check in checks]})
    for check in checks:
        mark = Styled("ok     ", "green") if check.ok else Styled("WRONG  ", "red")
        if check.ok and check.remedy:
            mark = Styled("warns  ", "yellow")
        cli.out.print_line(mark, f"{check.part}: {check.found}")
        if check.remedy:
            cli.out.print_line(f"         {check.remedy}")
    warned = sum(check.ok and bool(check.remedy) for check in checks)
    failed = sum(not check.ok for check in checks)
    told = "all is well" if is_well else f"{failed} of {len(checks)} checks failed"
    cli.out.print_line(told + (f"; warnings: {warned}" if warned else ""))
    if not is_well:
        raise typer.Exit(ExitStatus.NOT_MET)
