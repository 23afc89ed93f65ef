"""Sign a person in by a provider of identities, from a terminal: the person agrees in whatever browser is at hand."""

from collections.abc import Callable
from secrets import token_urlsafe

from servicekit.oidc import Device, Provider, check_address
from signoff import AsyncClient
from signoff.identity_client import BegunSession, SignIn


async def sign_in_by_device(
    jobstore: AsyncClient, sign_in: SignIn, show: Callable[[Device], None], lasts_s: float | None = None
) -> BegunSession:
    """Return a session of the person who agrees to what `show` is called with; `sign_in` says at which provider.

    SignInRefusedError: nobody agrees. ProviderError: the provider is away. SignoffError: the jobstore gives no session.
    """
    provider, secret = Provider(check_address(sign_in.issuer)), token_urlsafe()
    device = await provider.begin_device(sign_in.client_id, secret)
    show(device)
    id_token = await provider.wait_for_device(sign_in.client_id, device)
    return await jobstore.with_id_token(id_token, secret).create_session("cli", lasts_s=lasts_s)
