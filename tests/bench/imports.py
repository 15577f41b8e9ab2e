"""How long a large SPIP site takes to move in: a dump with so many subscribers and recipients, made here, imported by the command.

``python -m tests.bench.imports [SUBSCRIBERS] [RECIPIENTS]``; prints seconds of the clock, of the program's processor, and its memory in MiB.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def write(path: Path, people: int, recipients: int) -> None:
    """A dump of mysqldump's: 100 sendings, two subscriptions for every third subscriber."""
    with path.open("w") as out:

        def table(name: str, columns: str, rows: list[str]) -> None:
            out.write(f"CREATE TABLE `spip_{name}` ({', '.join(f'`{one}` text' for one in columns.split())});\n")
            for start in range(0, len(rows), 5000):
                out.write(f"INSERT INTO `spip_{name}` VALUES {','.join(rows[start : start + 5000])};\n")

        table("mailshots", "id_mailshot id sujet html texte listes total current failed date date_start statut", [f"({n},'{n}','Lettre {n}','<p>Bonjour @nom@</p>','Bonjour','newsletter',{recipients // 100},{recipients // 100},0,'2024-06-01 11:00:00','2024-06-01 10:00:00','end')" for n in range(1, 101)])
        out.write("CREATE TABLE `spip_mailshots_destinataires` (`id_mailshot` bigint, `email` text, `date` text, `statut` text, `try` int);\n")
        for n in range(1, 101):
            rows = ",".join(f"({n},'lecteur{(one := (n * 37 + k) % people)}@exemple{one % 50}.example','2024-06-01 10:00:05','{'fail' if k % 40 == 0 else 'sent'}',1)" for k in range(recipients // 100))
            out.write(f"INSERT INTO `spip_mailshots_destinataires` VALUES {rows};\n")
        table("mailsubscribers", "id_mailsubscriber email nom optin date statut jeton lang", [f"({n},'lecteur{n}@exemple{n % 50}.example','Lecteur Été {n}','Inscription : 2019-02-03 par {n} (192.0.2.7)','2019-02-03 10:00:00','{'refuse' if n % 20 == 0 else 'valide'}','jeton{n}','fr')" for n in range(people)])
        table("mailsubscribinglists", "id_mailsubscribinglist identifiant titre statut", ["(1,'newsletter','La lettre','ouverte')", "(2,'agenda','Agenda','ouverte')"])
        table("mailsubscriptions", "id_mailsubscriber id_mailsubscribinglist id_segment statut maj", [f"({n},{one},0,'valide','2021-01-01 00:00:00')" for n in range(people) for one in ((1, 2) if n % 3 == 0 else (1,))])


def main() -> None:
    people, recipients = (int(word) for word in (*sys.argv[1:], "100000", "1000000")[:2])
    with tempfile.TemporaryDirectory(prefix="colporteur-bench-", dir="/tmp") as home:
        Path(home).chmod(0o755)
        dump = Path(home, "site.sql")
        write(dump, people, recipients)
        environment = {**os.environ, "COLPORTEUR_DATA": f"{home}/var", "COLPORTEUR_DEMO": "0"}
        command = [sys.executable, "-m", "colporteur"]
        subprocess.run([*command, "domain", "add", "lettres.example"], env=environment, check=True, capture_output=True)
        begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([*command, "import", "spip", str(dump), "--json"], env=environment, check=True, capture_output=True, text=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        report = json.loads(done.stdout)
        print(f"{dump.stat().st_size >> 20} MiB, {report['people']} people, {report['memberships']} memberships, {report['copies']} copies")
        print(f"{time.monotonic() - begun:.1f} s, processor {used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime:.1f} s with the database, memory of the largest process {used.ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()
