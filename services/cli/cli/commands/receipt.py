"""Commands of `signoff receipt`: signed statements about verdicts, and whether one is genuine."""

import base64
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.job_views import FromArchive
from cli.errors import CommandError, ExitStatus
from cli.output import to_json
from cli.parameters import JobId, find_job_id
from cli.session import Session, command, make_app
from signoff import AsyncClient
from signoff.connection import list_all
from signoff.errors import ErrorCode
from signoff.status import View

if TYPE_CHECKING:
    from contracts.receipts import PublicKey, PublicKeys, Statement

app = make_app("Signed statements about verdicts: `signoff receipt JOB` prints one.", has_default=True)


@command(app, "get")
async def get(  # noqa: PLR0913, PLR0917 - each is an option
    cli: Session,
    jobstore: AsyncClient,
    job_id: JobId,
    submission: Annotated[
        int | None, typer.Option("--submission", min=1, help="The last verdict on this one, though the job went on.")
    ] = None,
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="The verdict in the log's entry of this version.")
    ] = None,
    view: Annotated[
        View, typer.Option("--view", case_sensitive=False, help="basic states hashes of the criteria, not their texts.")
    ] = View.FULL,
    without_texts: Annotated[bool, typer.Option("--without-texts", hidden=True, help="As --view basic.")] = False,
    archived: FromArchive = False,
    out: Annotated[Path | None, typer.Option("--output", help="Write it to this file.")] = None,
) -> None:
    """Print the receipt of the verdict that ended a job: `signoff receipt JOB` is enough.

    It is a DSSE envelope of an in-toto statement, signed by the jobstore. It holds hashes of the result and of the
    criteria, the criteria themselves unless left out, and the outcome of each; no word of the result.
    """
    if without_texts:
        view = View.BASIC
    if archived:
        if submission is not None or version is not None:
            raise typer.BadParameter("has the verdict that ended a job", param_hint="--archived")
        _write(cli, job_id, *await _get_archived(jobstore, job_id, view), out)
        return
    job_id = await find_job_id(jobstore, job_id)
    receipt = await jobstore.get_receipt(job_id, version=version, submission=submission, view=view)
    _write(cli, job_id, receipt.envelope, receipt.version, out)


async def _get_archived(jobstore: AsyncClient, job_id: str, view: View) -> tuple[str, int]:
    """Return the receipt of a removed job, and the version of its verdict. Raise CommandError if it has none."""
    found = await jobstore.get_removed_job(job_id, view=view, page_size=1)
    if found.receipt is None:
        raise CommandError(f"the job {job_id} did not end with a verdict", code=ErrorCode.NO_VERDICT)
    statement = json.loads(base64.b64decode(json.loads(found.receipt)["payload"]))
    return found.receipt, statement["predicate"]["version"]


def _write(cli: Session, job_id: str, envelope: str, version: int, out: Path | None) -> None:
    if out is None:
        cli.out.print(json.loads(envelope), envelope)
        return
    try:
        out.write_text(envelope + "\n", "utf-8")
    except OSError as error:
        raise CommandError(f"cannot write the receipt: {error}", code=ErrorCode.UNWRITABLE) from None
    cli.out.print_json({"file": str(out), "job_id": job_id, "version": version})
    cli.out.print_line(f"the receipt of {job_id}, version {version}, is in {out}")


@command(app, "keys")
async def keys(cli: Session, jobstore: AsyncClient) -> None:
    """Print the public keys that receipts are and were signed with, as `verify --keys` takes them.

    Keep them with the receipts: a database that is rebuilt has those alone whose secrets are still set.
    """
    document = {"items": await list_all(jobstore.iter_receipt_keys())}
    cli.out.print(document, to_json(document))


@command(app, "verify")
async def verify(
    cli: Session,
    receipt: Annotated[str, typer.Argument(metavar="FILE", help="The receipt, or - for standard input.")],
    keys_file: Annotated[
        Path | None, typer.Option("--keys", help="A file of the keys that you trust, as `receipt keys` prints them.")
    ] = None,
    key: Annotated[str | None, typer.Option("--key", metavar="BASE64", help="The one key that you trust.")] = None,
    result: Annotated[
        Path | None, typer.Option("--result", help="Also check that the receipt is about the result in this file.")
    ] = None,
    job: Annotated[
        Path | None,
        typer.Option("--job", help="Also check the task of the job in this JSON file, and references, if it has any."),
    ] = None,
) -> None:
    """Verify a receipt, and say what it states; succeed if it is genuine.

    Only the public key is needed, and no running Signoff. Without --keys or --key the keys are asked of the jobstore
    that is known: then the receipt is as genuine as that jobstore's word, and the answer says so.
    """
    from contracts.receipts import ReceiptError, verify  # noqa: PLC0415 - heavy, and only needed here

    try:
        keys, keys_of = await _find_keys(cli, keys_file, key)
        signer, statement = verify(_read(receipt, "the receipt"), keys)
    except ReceiptError as error:
        raise CommandError(f"not valid: {error}", code=error.code, status=ExitStatus.NOT_MET) from None
    if result is not None and statement.result_sha256 not in _hash_forms(_read(str(result), "the result")):
        message = f"the receipt is genuine, and about another result than the one in {result}"
        raise CommandError(message, code=ErrorCode.OTHER_RESULT, status=ExitStatus.NOT_MET)
    if job is not None:
        _compare_job(statement, _read(str(job), "the job"))
    _show(cli, signer, statement, result, keys_of)


async def _find_keys(cli: Session, file: Path | None, key: str | None) -> "tuple[PublicKeys, str]":
    """Return the keys to verify receipts with, and their source: `file`, `key`, or else the jobstore."""
    from contracts.receipts import PublicKeys  # noqa: PLC0415 - heavy, and only needed here

    if file is not None and key is not None:
        raise CommandError("give --keys or --key, not both", code=ErrorCode.TWO_KEYS)
    if file is not None:
        return PublicKeys.parse(_read(str(file), "the keys")), str(file)
    if key is not None:
        return PublicKeys.parse_one(key), "--key"
    if cli.target.jobstore is None:
        message = "no key is known: give --keys or --key, or the address of the jobstore that signed (--jobstore)"
        raise CommandError(message, code=ErrorCode.NO_RECEIPT_KEYS)
    async with cli.jobstore() as jobstore:
        keys = PublicKeys.parse(to_json({"items": await list_all(jobstore.iter_receipt_keys())}).encode())
    return keys, f"the jobstore at {cli.target.jobstore}"


def _read(path: str, name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {name}: {error}", code=ErrorCode.UNREADABLE) from None


def _hash_forms(content: bytes) -> set[str]:
    """Return the hashes (hex) of the results that a file's content may stand for: a text, or JSON in any layout."""
    from contracts.events import hash_result  # noqa: PLC0415 - heavy, and only needed here
    from signoff.jsontext import json_text, parse_json  # noqa: PLC0415

    forms = []
    try:
        text = content.decode()
        forms = [text, json_text(text), json_text(text.removesuffix("\n"))]
        forms.append(json_text(parse_json(content)))
    except ValueError:
        pass  # it is no JSON, or no text at all
    return {hash_result(form).hex() for form in forms}


def _compare_job(statement: "Statement", content: bytes) -> None:
    """Raise CommandError unless the JSON of a job or of an agent's call has the task and references in `statement`."""
    from contracts.criteria import format_references, hash_references  # noqa: PLC0415 - heavy, and only needed here
    from contracts.events import hash_task  # noqa: PLC0415
    from signoff.jsontext import json_text, parse_json  # noqa: PLC0415

    try:
        value = parse_json(content)
        job = value.get("job") or value
        task = hash_task(job["title"], job.get("description", ""), json_text(job.get("payload")))
        references = {int(number): text for number, text in (job.get("references") or {}).items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        message = "the job is no JSON object with a title: give it as the API shows it, or the body of its agent's call"
        raise CommandError(message, code=ErrorCode.UNREADABLE) from None
    stated = statement.predicate
    if stated.task_sha256 != task.hex():
        message = "the receipt is genuine, and its agent was asked for something else"
        raise CommandError(message, code=ErrorCode.OTHER_TASK, status=ExitStatus.NOT_MET)
    if references and stated.references_sha256 != hash_references(format_references(references)):
        message = "the receipt is genuine, and other references were judged by"
        raise CommandError(message, code=ErrorCode.OTHER_REFERENCES, status=ExitStatus.NOT_MET)


def _show(cli: Session, signer: "PublicKey", statement: "Statement", result: Path | None, keys_of: str) -> None:
    stated = statement.predicate
    cli.out.print_json(
        {
            "valid": True,
            "keyid": signer.keyid,
            "secret_id": signer.secret_id,
            "keys_of": keys_of,
            "result_compared": result is not None,
            "statement": statement.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
    )
    cli.out.print_line(f"valid: signed with the key {signer.keyid}, by the word of {keys_of}")
    rows: list[tuple[str, object]] = [
        ("job", stated.job_id),
        ("version", stated.version),
        ("tenant", stated.tenant),
        ("execution", stated.execution_id),
        ("submission", f"{stated.submission} of {stated.submissions}" if stated.submissions else stated.submission),
        ("verdict", "accepted" if stated.is_valid else "not accepted"),
        ("job's status", stated.status),
        ("judged at", stated.judged_at.isoformat()),
        ("judged by", " ".join(filter(None, [stated.judge, stated.model]))),
        ("criteria", stated.criteria_sha256),
        *((one.outcome, str(one)) for one in stated.criteria),
        (
            "result",
            statement.result_sha256 + (f", which is {result}" if result else ", which was not compared (--result)"),
        ),
    ]
    cli.out.print_table(["", ""], rows)
