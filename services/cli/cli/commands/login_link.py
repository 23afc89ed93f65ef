"""The command `signoff login-link`."""

from cli.session import Session, command, make_app, make_login_link

app = make_app()


@command(app, "login-link")
async def login_link(cli: Session) -> None:
    """Print a link that logs in to the page: once, and within a quarter of an hour.

    Who opens it may do what the token may that this command has. The link holds no token.
    """
    link = await make_login_link(cli.target)
    cli.out.print_json({"link": link})
    cli.out.print_line(link)
