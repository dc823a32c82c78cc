"""Generate a Python and a TypeScript client from the OpenAPI document, and have each talk to a forum.

`.ci/run` runs it (`python -m tests.clients`). It needs Node.js with npm, and the package registries. Neither client is
edited: what its generator cannot take is a fault of the document, and `forum/api/generators.py` mends it.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.support import make
from tests.support.running import ROOT, beside, started

HERE = Path(__file__).parent
POSTS = 45  # three pages


def generate_python(folder: Path, document: Path) -> list[str]:
    """Generate the Python client; return the command that talks with it."""
    venv.create(folder / "tools", with_pip=True)
    tools = folder / "tools/bin"
    run(tools / "pip", "install", "--quiet", "-r", HERE / "requirements.txt")
    run(
        *(tools / "openapi-python-client", "generate", "--path", document, "--config", HERE / "generator.yml"),
        *("--meta", "none", "--output-path", folder / "forum_client", "--fail-on-warning"),
    )
    shutil.copy(HERE / "talk.py", folder)
    return [str(tools / "python"), str(folder / "talk.py")]


def generate_typescript(folder: Path, document: Path) -> list[str]:
    """Generate the TypeScript client, and check the types of what talks with it; return the command that talks."""
    for name in ("package.json", "package-lock.json", "tsconfig.json", "talk.ts"):
        shutil.copy(HERE / name, folder)
    run("npm", "ci", "--no-audit", "--no-fund", "--silent", folder=folder)
    # A member of a request that has a default may be left out, which this generator does not believe unless told.
    unset = ("--default-non-nullable", "false")
    run("npx", "openapi-typescript", document, *unset, "--output", folder / "schema.ts", folder=folder)
    run("npx", "tsc", folder=folder)
    return ["node", str(folder / "made/talk.js")]


def run(*command: object, folder: Path = ROOT) -> str:
    """Run a command and return what it says; end with all that it says when it fails."""
    words = [str(part) for part in command]
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


async def talk(folder: Path, commands: dict[str, list[str]]) -> None:
    """Start a forum with a long thread, and have each client talk to it."""
    async with started(folder, "serve") as forum:
        await forum.ready()
        async with beside(forum) as app:
            services = app.state.services
            await make.board(services)
            await make.member(services, "heron")
            thread = await make.thread(services, "heron")
            for _ in range(POSTS - 1):
                last = await make.post(services, "heron", thread)
            async with make.signed_in(app, "heron") as heron:
                assert (await heron.delete(f"/api/v1/posts/{last.id}")).status_code == 204
        for posts, (name, command) in enumerate(commands.items(), start=POSTS):
            address, mailbox = str(forum.http.base_url).rstrip("/"), forum.data / "mailbox"
            await asyncio.to_thread(run, *command, address, mailbox, thread, posts)
            sys.stdout.write(f"{name}: joined, verified, signed in, read to the end, replied, edited, reported\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document = folder / "openapi.json"
        document.write_text(run(sys.executable, "-m", "forum", "openapi"))
        commands = {
            "Python": generate_python(folder, document),
            "TypeScript": generate_typescript(folder, document),
        }
        asyncio.run(talk(folder, commands))


main()
