"""Objects in a directory and in a bucket: written whole or not at all, listed, and errors that say what to do."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
from support.buckets import BUCKET, serve_s3

from servicekit.archive.objects import Objects
from servicekit.errors import TransientError


@pytest.fixture(scope="module")
def s3():
    with serve_s3():
        yield


@pytest.fixture(params=["directory", "s3"])
def objects(request, tmp_path) -> Objects:
    if request.param == "directory":
        return Objects.open(str(tmp_path / "kept"), creates=True)
    request.getfixturevalue("s3")
    return Objects.open(f"s3://{BUCKET}/{tmp_path.name}")


async def collect(listed) -> list[str]:
    return sorted([one.name async for one in listed])


async def test_objects_are_read_as_they_were_written(objects):
    await objects.put("parts/1.json", b"first")
    await objects.put("parts/1.json", b"second")

    assert await objects.get("parts/1.json") == b"second"
    assert await objects.get("parts/1.json", 3) == b"sec"
    assert await objects.get("parts/2.json") is None
    with pytest.raises(FileNotFoundError):
        await anext(objects.stream("parts/2.json"))


async def test_a_stream_of_several_requests_is_read_in_order(objects):
    async def make() -> AsyncIterator[bytes]:
        for number in range(20):
            yield bytes([number]) * 1_000_000

    await objects.put("big", make())

    pieces = [piece async for piece in objects.stream("big")]
    assert len(pieces) == 3
    assert b"".join(pieces) == b"".join([piece async for piece in make()])


async def test_of_two_that_create_an_object_one_does(objects):
    created = await asyncio.gather(*(objects.create("one", name) for name in (b"a", b"b")))

    assert sorted(created) == [False, True]
    assert await objects.get("one") == (b"a" if created[0] else b"b")


async def test_lists_have_what_is_below_a_prefix_and_behind_a_name(objects):
    for name in ("parts/1", "parts/2", "parts/3", "partial", "other/1"):
        await objects.put(name, b"x")

    assert await collect(objects.list("parts")) == ["parts/1", "parts/2", "parts/3"]
    assert await collect(objects.list("parts", "parts/1")) == ["parts/2", "parts/3"]

    await objects.delete(["parts/1", "parts/1", "parts/9"])
    assert await collect(objects.list("parts")) == ["parts/2", "parts/3"]


async def test_a_stream_that_breaks_off_leaves_the_object_before(objects):
    async def break_off() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("killed")

    await objects.put("one", b"whole")
    with pytest.raises(Exception, match="killed"):
        await objects.put("one", break_off())

    assert await objects.get("one") == b"whole"


@pytest.mark.parametrize("place", ["", "ftp://host/folder", "s3://", "s3:///", "file://", "a\0b"])
def test_a_text_that_names_no_place_is_refused(place):
    with pytest.raises(ValueError, match="is no place for objects"):
        Objects.open(place)


def test_a_directory_that_is_missing_is_made_on_request_alone(tmp_path):
    with pytest.raises(TransientError, match="none cannot be read"):
        Objects.open(f"file://{tmp_path}/none")
    Objects.open(f"file://{tmp_path}/none", creates=True)
    assert (tmp_path / "none").is_dir()


async def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "parts").write_text("a file where a folder is needed")

    with pytest.raises(TransientError, match=f"{tmp_path} cannot be read or written") as caught:
        await Objects.open(str(tmp_path)).put("parts/1", b"x")
    assert caught.value.code == "archive_unavailable"


@pytest.mark.usefixtures("s3")
async def test_a_bucket_that_does_not_exist_or_is_away_is_named(monkeypatch):
    with pytest.raises(TransientError, match=r"s3://nowhere/x cannot be read or written: .*NoSuchBucket") as caught:
        await Objects.open("s3://nowhere/x").put("one", b"x")
    assert "SECRET" not in str(caught.value)

    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        monkeypatch.setitem(os.environ, "AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(TransientError, match="does not answer in time"):
            await Objects.open(f"s3://{BUCKET}", timeout_s=0.2).get("one")


async def test_a_stream_may_take_longer_to_make_than_a_request(tmp_path):
    async def wait() -> AsyncIterator[bytes]:
        done = asyncio.get_running_loop().time() + 0.3
        while asyncio.get_running_loop().time() < done:
            await asyncio.to_thread(os.getpid)
        yield b"late"

    objects = Objects.open(str(tmp_path), timeout_s=0.2)
    await objects.put("one", wait())
    assert await objects.get("one") == b"late"
