"""Real replicas, real clients, a real PostgreSQL, and everything that can happen to them, for as long as one likes.

    PYTHONPATH=tests .venv/bin/python -m end_to_end.stress --kills 200 --partitions 100 --restores 20 --replicas 4 [--seed 1]

Each replica has a client process that works by chance (every entity, and the operations of the tool contract) through a network
of its own. A round is one fault while all work:

- kill: SIGKILL to clients (sometimes to the server's process of one of them, which restarts the whole server), and a restart;
  sometimes the killed one's replica is taken away and filled anew;
- partition: networks are cut, frozen, frozen and lost, or slow, and heal;
- restore: PostgreSQL is set back to a copy that was made some rounds before.

Then everybody holds still. From there on all queues must be empty and all replicas level within `--level` seconds, and `oracle`
compares everything. A person types SQL meanwhile. A seed fixes what happens, but not when: processes are real.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from contract.laptop import Laptop
from localfirst_schema.identifiers import new_id
from postgres import Server

from end_to_end import oracle
from end_to_end.crashing_postgres import until_it_answers
from end_to_end.oracle import Broken, Standing
from end_to_end.proxy import Proxy, Weather

PROJECT = "team/stress"
DUMPS_MAX = 3
RESTORED_TIMES = 6
"""So many times as long as after other faults may it take until all are level."""

WITHIN_S = 5.0
TITLES = ("typed", "typed again", "same title")


@dataclass
class Client:
    """One replica, its network, and the process that works on it."""

    name: str
    laptop: Laptop
    proxy: Proxy
    journal: Path
    errors: Path
    starts: int = 0
    process: subprocess.Popen[str] | None = field(default=None)

    def start(self, seed: int) -> None:
        """Starts the process; it is ready when it has said so."""
        self.starts += 1
        command = [sys.executable, "-m", "end_to_end.stress_client", self.name, str(seed), str(self.journal)]
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=self.laptop.project,
                env=self.laptop.environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
            )
        self._hear("ready")

    def tell(self, order: str) -> None:
        """``go`` or ``hold``."""
        assert self.process is not None
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{order}\n")
            self.process.stdin.flush()

    def hold(self) -> None:
        """Returns when it has stopped working."""
        self.tell("hold")
        self._hear("held")

    def _hear(self, word: str) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        said = self.process.stdout.readline().strip()
        if said != word:
            raise Broken(f"{self.name} ended by itself: {self.errors.read_text()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


class Database:
    """The server's database, copies of which stand for backups."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.name = f"stress_{new_id().replace('-', '')}"
        self.url = server.url(self.name)
        self.dumps: list[str] = []
        server.execute(f"CREATE DATABASE {self.name} TEMPLATE localfirst_template")

    def dump(self) -> None:
        """Keeps a copy; everybody's connections end."""
        name = f"{self.name}_{new_id().replace('-', '')[:12]}"
        self._copy(self.name, name)
        self.dumps.append(name)
        while len(self.dumps) > DUMPS_MAX:
            self.server.execute(f"DROP DATABASE {self.dumps.pop(0)} WITH (FORCE)")

    def restore(self, dump: str) -> None:
        """Sets the database back."""
        self.server.execute(f"DROP DATABASE {self.name} WITH (FORCE)")
        self._copy(dump, self.name)

    def kill_a_process(self, dice: random.Random) -> None:
        """SIGKILL to a process that serves somebody: PostgreSQL ends all others too, and recovers."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'localfirst%' ORDER BY pid"
            found = connection.execute(query).fetchall()
            if found:
                os.kill(dice.choice(found)[0], signal.SIGKILL)
                deadline = time.monotonic() + 60
                with suppress(psycopg.OperationalError):
                    while time.monotonic() < deadline:  # until it has noticed, and ended this connection too
                        connection.execute("SELECT 1")
                        time.sleep(0.01)

    def close(self) -> None:
        """Drops everything."""
        for name in (self.name, *self.dumps):
            self.server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _copy(self, source: str, target: str) -> None:
        for _ in range(200):
            self.server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{source}'")
            with suppress(psycopg.errors.ObjectInUse):
                self.server.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
                return
        raise Broken("somebody connects again and again")


class Run:
    """One run over `replicas` replicas in `folder`.

    Attributes:
        level_s: the time from the end of the faults to all being level, of each round.
        counts: how often what was done.
    """

    def __init__(self, folder: Path, server: Server, replicas: int, seed: int, limit_s: float) -> None:
        self._dice = random.Random(seed)
        self._limit_s = limit_s
        self.database = Database(server)
        self.level_s: list[float] = []
        self.counts: dict[str, int] = {}
        socket = Path(str(psycopg.conninfo.conninfo_to_dict(self.database.url)["host"] or "")) / ".s.PGSQL.5432"
        self.clients = []
        for number in range(replicas):
            proxy = Proxy(socket, seed + number)
            url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{self.database.name}?sslmode=disable"
            more = {"LOCALFIRST_PROJECT": PROJECT, "LOCALFIRST_DATABASE_URL": url}
            laptop = Laptop(folder / f"laptop{number}", more)
            journal, errors = folder / f"laptop{number}.journal", folder / f"laptop{number}.errors"
            journal.touch()
            self.clients.append(Client(f"laptop{number}", laptop, proxy, journal, errors))

    def begin(self) -> None:
        """Starts all clients; each replica is filled for the first time."""
        for client in self.clients:
            client.start(self._dice.randrange(2**31))
        self._await_level()

    def round(self, kind: str) -> dict[str, int]:
        """Everybody works, something happens, everybody holds still and is judged."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        for client in self.clients:
            client.tell("go")
        time.sleep(self._dice.uniform(0.05, 0.4))
        {"kill": self._kill, "partition": self._partition, "restore": self._restore}[kind]()
        if kind != "restore":
            self._type_sql()
        time.sleep(self._dice.uniform(0, 0.3))
        for client in self.clients:
            client.hold()
        began = time.monotonic()
        # After a restore the replicas compare all that there is with the server, and send again what it has lost.
        self._await_level(RESTORED_TIMES if kind == "restore" else 1)
        self.level_s.append(time.monotonic() - began)
        return self.judge()

    def judge(self) -> dict[str, int]:
        """See `oracle.judge`."""
        for client in self.clients:
            hard = [line for line in client.errors.read_text().split("\n") if "Traceback" in line or "unexpected" in line]
            oracle.hold(not hard, f"{client.name} reports an error", client.errors)
        return oracle.judge(self.database.url, [c.laptop for c in self.clients], [c.journal for c in self.clients])

    def dump(self) -> None:
        """A backup of the server, while nobody works."""
        self.database.dump()

    def _kill(self) -> None:
        if self._dice.random() < 0.1:
            self._count("server kill")
            self.database.kill_a_process(self._dice)
            until_it_answers(self.database.url, 60)
            return
        for client in self._dice.sample(self.clients, self._dice.choice((1, 1, 2))):
            client.kill()
            if self._dice.random() < 0.1 and not Standing(client.laptop).waiting:
                self._count("replica taken away")
                for file in client.laptop.replica.parent.iterdir():
                    file.unlink()
                client.start(self._dice.randrange(2**31))
                client.tell("go")
                if self._dice.random() < 0.7:
                    time.sleep(self._dice.uniform(0, 0.3))
                    client.kill()
                    client.start(self._dice.randrange(2**31))
            else:
                client.start(self._dice.randrange(2**31))
            client.tell("go")

    def _partition(self) -> None:
        hit = self._dice.sample(self.clients, self._dice.randint(1, len(self.clients)))
        for client in hit:
            weather: Weather = self._dice.choice(("cut", "frozen", "slow"))
            self._count(weather)
            client.proxy.become(weather)
        time.sleep(self._dice.uniform(0.2, 1.5))
        for client in hit:
            client.proxy.become("open", lose=self._dice.random() < 0.3)

    def _restore(self) -> None:
        dump = self._dice.choice(self.database.dumps)
        self.database.restore(dump)

    def _type_sql(self) -> None:
        """A person with psql."""
        with psycopg.connect(self.database.url, autocommit=True) as psql:
            psql.execute("SET lock_timeout = '3s'")
            for statement in (
                "UPDATE localfirst.work_items SET title = %s WHERE id = (SELECT id FROM localfirst.work_items"
                " WHERE deleted_at IS NULL ORDER BY random() LIMIT 1)",
                "UPDATE localfirst.vendor_extractors SET operational = NOT operational WHERE name <> %s AND random() < 0.5",
                "INSERT INTO localfirst.future_enhancements (title) VALUES (%s)",
            ):
                if self._dice.random() < 0.5:
                    # A person gives way as well, and does not lose what was never confirmed.
                    with suppress(psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                        psql.execute(statement.encode(), (self._dice.choice(TITLES),))
                        self._count("SQL")

    def _await_level(self, times: float = 1) -> None:
        deadline = time.monotonic() + self._limit_s * times
        while True:
            head = oracle.head(self.database.url)
            behind = {c.name: s for c in self.clients if not (s := Standing(c.laptop)).is_level_with(head)}
            if not behind and oracle.head(self.database.url) == head:
                return
            if time.monotonic() > deadline:
                found = {name: vars(standing) for name, standing in behind.items()}
                raise Broken(
                    f"not level after {self._limit_s * times} s: head {head}, {found}, {oracle.activity(self.database.url)}"
                )
            time.sleep(0.02)

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def close(self) -> None:
        """Ends every process, and drops the databases."""
        for client in self.clients:
            client.kill()
            client.proxy.close()
        self.database.close()


@contextmanager
def run(folder: Path, server: Server, replicas: int, seed: int, limit_s: float) -> Iterator[Run]:
    """A run that has begun; it leaves no process behind."""
    made = Run(folder, server, replicas, seed, limit_s)
    try:
        made.begin()
        yield made
    finally:
        made.close()


def rounds(made: Run, kills: int, partitions: int, restores: int, seed: int, tell: Callable[[str], None]) -> dict[str, int]:
    """All rounds, in an order by chance; returns how much the last one compared."""
    dice = random.Random(seed)
    kinds = ["kill"] * kills + ["partition"] * partitions + ["restore"] * restores
    dice.shuffle(kinds)
    found: dict[str, int] = {}
    for number, kind in enumerate(kinds):
        if not made.database.dumps or (restores and dice.random() < 0.1):
            made.dump()
        found = made.round(kind)
        tell(f"{number + 1}/{len(kinds)} {kind}: level after {made.level_s[-1]:.2f} s, {found}")
    return found


def main() -> None:
    """Runs, and says what came of it; the folder is kept if something is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--partitions", type=int, default=10)
    parser.add_argument("--restores", type=int, default=2)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--level", type=float, default=5.0, help="seconds in which all must be level")
    parser.add_argument("--folder", type=Path, help="where the files are (default: a temporary folder)")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="localfirst-stress-", dir=arguments.folder))
    server = Server(folder)
    for setting in ("synchronous_commit = on",):
        server.execute(f"ALTER SYSTEM SET {setting}")
    server.execute("SELECT pg_reload_conf()")
    began = time.monotonic()
    try:
        with run(folder, server, arguments.replicas, arguments.seed, arguments.level) as made:
            found = rounds(
                made, arguments.kills, arguments.partitions, arguments.restores, arguments.seed,
                lambda line: print(line, flush=True),
            )  # fmt: skip
            ordered = sorted(made.level_s)
            within = sum(seconds <= WITHIN_S for seconds in ordered)
            print(
                f"nothing broken; {made.counts}; {found}; level after {ordered[len(ordered) // 2]:.2f} s (median),"
                f" {ordered[-1]:.2f} s (longest), within {WITHIN_S:g} s in {within} of {len(ordered)} rounds;"
                f" {time.monotonic() - began:.0f} s, seed {arguments.seed}"
            )
    except Broken as broken:
        print(f"BROKEN after {time.monotonic() - began:.0f} s (files in {folder}): {broken}")
        server.stop()
        raise SystemExit(1) from None
    server.stop()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
