"""What can be wrong with a host: how it is broken, what `acmd check` has to say, and how it is mended.

Where a remedy has commands (in backticks), exactly those are run. Where it is a sentence, `mend` does what it
says.
"""

from __future__ import annotations

from dataclasses import dataclass

OTHER = "/etc/acmd/other.toml"
ACM_LINE = "* * * * * root /opt/aspera/acm/bin/acm4orchestrator 10.99.0.1 >/dev/null 2>&1"
DATABASE = "/etc/orchestrator/database.yml"
PACKAGE = "/opt/acmd/venv/lib/python3/site-packages/acmd/__init__.py"
INIT_SCRIPT = """printf '%s\\n' '#!/bin/sh' '### BEGIN INIT INFO' '# Provides: oldapp' '# Required-Start:' \
'# Required-Stop:' '# Default-Start: 2 3 4 5' '# Default-Stop: 0 1 6' '# Short-Description: old' \
'### END INIT INFO' 'exit 0' > /etc/init.d/oldapp
chmod 755 /etc/init.d/oldapp; update-rc.d oldapp defaults; systemctl daemon-reload"""
FAKE_PACKAGE = """mkdir -p /root/fake/DEBIAN
printf '%s\\n' 'Package: {name}' 'Version: 1' 'Architecture: all' 'Maintainer: nobody <nobody@localhost>' \
'Description: another manager' > /root/fake/DEBIAN/control
dpkg-deb -b /root/fake /root/fake.deb >/dev/null; dpkg -i /root/fake.deb"""


@dataclass(frozen=True, slots=True)
class Situation:
    """One thing that is wrong. `says` is a pattern for the finding's sentence on host `on`."""

    check: str
    breaks: str
    says: str
    level: str = "KO"
    first: str = ""  # run before the remedy's own commands, where it says that something else comes first
    mend: str = ""  # run after them, where they are not all that it says
    other: tuple[str, ...] = ()  # commands that it names for another case
    on: str = "alpha"
    where: str = ""  # the host on which it is broken and mended, when the check is run on another
    undo: str = ""  # afterwards, however it went


@dataclass(frozen=True, slots=True)
class Round:
    """Situations that can be there at the same time, so that one look has to find them all."""

    situations: dict[str, Situation]
    config: str = ""  # another configuration than the cluster's own


def base(more: str, directory: str = "/shared/acm/acmd", address: str = "10.99.0.1") -> str:
    """A configuration that is only checked."""
    return f'[cluster]\nname = "other"\ndirectory = "{directory}"\n[node]\naddress = "{address}"\n{more}'


def crontab(file: str) -> Situation:
    """ACM's line in that file."""
    return Situation(
        "acm-cron",
        f"echo '{ACM_LINE}' >> {file}; chmod 600 {file}",
        rf"{file}, line \d+ still starts ACM",
        undo=f"sed -i /acm4/d {file}",
    )


MYSQL = """
[[service]]
name = "db"
kind = "systemd"
unit = "mariadb.service"
data_directories = ["{place}"]
probe = [{{ kind = "mysql" }}]
[database]
file = "/etc/orchestrator/database.yml"
"""
OLD_APP = '[[service]]\nname = "oldapp"\nkind = "sysv"\nscript = "/etc/init.d/oldapp"\n'
TOKEN = '[http]\nlisten = "127.0.0.1:8808"\ntoken_file = "/etc/acmd/token"\n'
AGENT = '[fencing]\npolicy = "best_effort"\nagent = ["/usr/sbin/fence_none"]\n'


def device(text: str, *, enforced: bool) -> str:
    """With a device id that is another's."""
    wrong = f"device_id = 12345\ndevice_id_enforced = {str(enforced).lower()}\n[node]"
    return text.replace("[node]", wrong)


PLACES = Round(
    {
        # First: a daemon that is restarted would not start with it.
        "a directory for everybody": Situation(
            "directory",
            "chmod 0777 /shared/acm/acmd",
            "mode 0777 lets everybody write there",
            undo="chmod 0755 /shared/acm/acmd",
        ),
        "ACM in /etc/crontab": crontab("/etc/crontab"),
        "ACM in /etc/anacrontab": crontab("/etc/anacrontab"),
        "ACM in cron.d": crontab("/etc/cron.d/acm"),
        "ACM in root's crontab": crontab("/var/spool/cron/crontabs/root"),
        "ACM in root's crontab as RHEL has it": crontab("/var/spool/cron/root"),
        "ACM in cron.hourly": Situation(
            "acm-cron",
            "echo /opt/aspera/acm/bin/acm4orchestrator > /etc/cron.hourly/acm",
            "cron.hourly/acm, line 1 still starts ACM",
            mend="rm /etc/cron.hourly/acm",
        ),
        "a unit that is enabled": Situation(
            "autostart", "systemctl enable apache2", "apache2.service starts by itself at boot"
        ),
        "a socket that starts it": Situation(
            "autostart", "systemctl enable mariadb.socket", "mariadb.socket starts mariadb.service"
        ),
        "another cluster manager": Situation(
            "cluster-packages", FAKE_PACKAGE.format(name="cman"), "cman is installed", undo="dpkg -P cman"
        ),
        "another cluster manager of today": Situation(
            "cluster-packages",
            FAKE_PACKAGE.format(name="pacemaker"),
            "pacemaker is installed",
            "WARN",
            undo="dpkg -P pacemaker",
        ),
        "a name that does not resolve": Situation(
            "names",
            "cp /etc/hosts /root/hosts; grep -v beta /root/hosts > /etc/hosts",
            "beta does not resolve",
            "WARN",
            mend="cat /root/hosts > /etc/hosts",
        ),
        "other ids of a user": Situation(
            "users",
            "usermod -u 3002 orchestrator",
            r"orchestrator is 3002:\d+ here and 3001:\d+ on beta",
            mend="usermod -u 3001 orchestrator",
        ),
        "other ids of the user that a unit names": Situation(
            "users",
            "sed -i s/^keeper:x:3011:/keeper:x:3019:/ /etc/passwd",
            r"^keeper is 3019:\d+ here and 3011:\d+ on beta",
            mend="sed -i s/^keeper:x:3019:/keeper:x:3011:/ /etc/passwd",
        ),
        "another id of the group that a unit names": Situation(
            "users",
            "groupmod -g 3018 press",
            "group press is 3018 here and 3013 on beta",
            mend="groupmod -g 3013 press",
        ),
        "no database.yml": Situation(
            "credentials",
            f"mv {DATABASE} /root/d.yml",
            "database.yml cannot be read",
            mend=f"mv /root/d.yml {DATABASE}",
        ),
        "no rule of rsyslog's": Situation(
            "rsyslog",
            "rm /etc/rsyslog.d/acmd.conf; systemctl restart rsyslog",
            "no rule of rsyslog sends local2",
        ),
        "no rotation": Situation("logrotate", "rm /etc/logrotate.d/acmd", "nothing rotates"),
        "a unit that is not enabled": Situation(
            "units", "systemctl disable acmd", "acmd.service is not enabled"
        ),
        "a unit with options of somebody's": Situation(
            "units",
            "mkdir -p /etc/systemd/system/acmd.service.d; cd /etc/systemd/system/acmd.service.d; "
            "printf '[Service]\\nNice=1\\n' > nice.conf; systemctl daemon-reload",
            "acmd.service is changed by /etc/systemd/system/acmd.service.d/nice.conf",
            "WARN",
        ),
    }
)
VALUES = Round(
    {
        "a name that leads elsewhere": Situation(
            "names",
            "cp /etc/hosts /root/hosts; sed 's/.*beta/10.99.0.77 beta/' /root/hosts > /etc/hosts",
            "beta resolves to 10.99.0.77, but announces 10.99.0.2",
            mend="cat /root/hosts > /etc/hosts",
        ),
        "a wrong password": Situation(
            "credentials",
            f"cp -p {DATABASE} /root/d.yml; sed -i 's/password:.*/password: wrong/' {DATABASE}",
            "refuses the login",
            mend=f"mv /root/d.yml {DATABASE}",
        ),
        "another login in ACM's settings": Situation(
            "acmcommon",
            "mkdir -p /opt/aspera/acm/bin; echo MYSQL_PWD=other > /opt/aspera/acm/bin/acmcommon",
            "MYSQL_PWD in /opt/aspera/acm/bin/acmcommon is another",
            "WARN",
            mend="rm -r /opt/aspera/acm",
        ),
        "a user that is not there": Situation(
            "users",
            "sed -i s/^keeper:/gone:/ /etc/passwd",
            r"KEEPER runs as keeper, which this host does not have, as 3011:\d+ on beta",
            mend="sed -i s/^gone:/keeper:/ /etc/passwd",
        ),
        "a rule that rsyslog has not read": Situation(
            "log-line",
            "cd /etc/rsyslog.d; mv acmd.conf /root; systemctl restart rsyslog; mv /root/acmd.conf .",
            "a test line did not arrive",
        ),
        "two rotations": Situation(
            "logrotate",
            "printf '/var/log/asp*.log {\\n daily\\n}\\n' > /etc/logrotate.d/zz",
            "logrotate skips one of them",
            mend="rm /etc/logrotate.d/zz",
        ),
        "a unit that is masked": Situation(
            "units", "systemctl mask acmd", "acmd.service is masked", undo="systemctl unmask acmd"
        ),
    }
)
FILES = Round(
    {
        "a database.yml that is none": Situation(
            "credentials",
            f"cp -p {DATABASE} /root/d.yml; echo ': [' >> {DATABASE}",
            "database.yml",
            mend=f"mv /root/d.yml {DATABASE}",
        ),
        "no memory left": Situation(
            "memory",
            "sed 's/^MemAvailable:.*/MemAvailable: 1024 kB/' /proc/meminfo > /run/meminfo; "
            "mount --bind /run/meminfo /proc/meminfo",
            "only 1 MiB of",
            "WARN",
            mend="umount /proc/meminfo",
        ),
        "no logrotate": Situation(
            "logrotate",
            "mv /usr/sbin/logrotate /root",
            "rotates /var/log/aspera.log, but logrotate is not installed",
            mend="mv /root/logrotate /usr/sbin",
        ),
        "lines that go to syslog as well": Situation(
            "log-twice",
            "sed -i '/stop$/d' /etc/rsyslog.d/acmd.conf",
            "acmd's lines also go to /var/log/syslog",
            "WARN",
            mend="sed -i 's/^\\*\\.\\*;auth/*.*;local2.none;auth/' /etc/rsyslog.conf",
            undo="echo '& stop' >> /etc/rsyslog.d/acmd.conf; systemctl restart rsyslog",
        ),
        "a unit that is replaced": Situation(
            "units",
            "cp /usr/lib/systemd/system/acmd.service /etc/systemd/system/; systemctl daemon-reload",
            "acmd.service is replaced by /etc/systemd/system/acmd.service",
            "WARN",
            undo="rm -f /etc/systemd/system/acmd.service; systemctl daemon-reload",
        ),
    }
)
TABLES = Round(
    {
        "a table that is not InnoDB": Situation(
            "credentials",
            "mariadb -e 'create table orchestrator.old (i int) engine=myisam'",
            "orchestrator.old is MyISAM, not InnoDB",
            mend="mariadb -e 'ALTER TABLE orchestrator.old ENGINE=InnoDB'",
            undo="mariadb -e 'drop table orchestrator.old'",
        ),
        "no rsyslog": Situation(
            "rsyslog",
            "mv /etc/rsyslog.conf /root",
            "rsyslog is not installed",
            "WARN",
            mend="mv /root/rsyslog.conf /etc",
        ),
        "a unit that was edited": Situation(
            "units",
            "sed -i s/Nice=-10/Nice=-9/ /usr/lib/systemd/system/acmd.service; systemctl daemon-reload",
            "acmd.service is not what the package brought",
            "WARN",
            mend="sed -i s/Nice=-9/Nice=-10/ /usr/lib/systemd/system/acmd.service; systemctl daemon-reload",
        ),
        "a unit that systemd has not read": Situation(
            "units", "sleep 1; touch /usr/lib/systemd/system/acmd.service", "has not seen it", "WARN"
        ),
    }
)
CONFIGURED = Round(
    {
        "a link of init's": Situation(
            "autostart", INIT_SCRIPT, "oldapp.* starts it at boot", undo="update-rc.d oldapp disable"
        ),
        "a secret for everybody": Situation(
            "directory",
            "echo 0123456789abcdef0123 > /etc/acmd/token; chmod 0644 /etc/acmd/token",
            "has mode 0644: others than root can read",
        ),
        "another device": Situation(
            "directory",
            "true",
            "/shared/acm/acmd is on device",
            mend=f'sed -i "s/12345/$(stat -c %d /shared/acm/acmd)/" {OTHER}',
        ),
        "data somewhere else than it is said": Situation(
            "credentials",
            "mkdir -p /shared/else",
            "MySQL keeps its data in /shared/mysql",
            mend=f"sed -i s,/shared/else,/shared/mysql, {OTHER}",
        ),
        "a fence agent that is not there": Situation(
            "fence-agent",
            "true",
            "fence agent /usr/sbin/fence_none cannot be run",
            mend="ln -s /bin/true /usr/sbin/fence_none",
        ),
    },
    device(base(OLD_APP + MYSQL.format(place="/shared/else") + TOKEN + AGENT), enforced=True),
)
ROOT_DISK = Round(
    {
        "the root disk": Situation(
            "shared",
            "mkdir -p /srv/acm/acmd",
            "/srv/acm/acmd is on the root file system",
            mend="mount --bind /shared /srv",
            undo="umount -q /srv || true",
        ),
        "data on the root disk": Situation(
            "data", "mkdir -p /srv/mysql", "/srv/mysql is on this host's root disk"
        ),
        "another device, not enforced": Situation(
            "directory",
            "true",
            "/srv/acm/acmd is on device",
            "WARN",
            mend=f'sed -i "s/12345/$(stat -c %d /srv/acm/acmd)/" {OTHER}',
        ),
    },
    device(base(MYSQL.format(place="/srv/mysql"), "/srv/acm/acmd"), enforced=False),
)
NOT_MOUNTED = Round(
    {
        "storage that is not mounted": Situation(
            "directory",
            "mkdir -p /mnt/store",
            "/mnt/store/acm does not exist",
            mend="mount --bind /shared /mnt/store",
            other=("acmd init",),
            undo="umount -q /mnt/store || true",
        )
    },
    base("", "/mnt/store/acm/acmd"),
)
REFUSED = Round(
    {
        "an address of another host": Situation(
            "configuration",
            "true",
            "10.99.0.77.* is not an address of this host",
            mend=f"sed -i s/10.99.0.77/10.99.0.1/ {OTHER}",
        )
    },
    base("", address="10.99.0.77"),
)
GUARD = Round(
    {
        "a guard that cannot start": Situation(
            "guard",
            "mkdir -p /etc/systemd/system/acmd-guard.service.d; cd /etc/systemd/system/acmd-guard.service.d; "
            "printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' > no.conf; systemctl daemon-reload; "
            "kill -9 $(systemctl show -P MainPID acmd-guard)",
            "the guard does not answer",
            on="beta",
            first="rm -r /etc/systemd/system/acmd-guard.service.d; systemctl daemon-reload",
            undo="systemctl revert acmd-guard.service; systemctl daemon-reload",
        )
    }
)
PEER = Round(
    {
        "a peer with another configuration": Situation(
            "configurations",
            "cp -p /etc/acmd/acmd.toml /root/; printf '[hold_down]\\nfirst_s = 77\\n' >> /etc/acmd/acmd.toml",
            "beta has another configuration",
            "WARN",
            where="beta",
            first="cp -p /root/acmd.toml /etc/acmd/acmd.toml",
        ),
        "a peer without a service": Situation(
            "service-lists",
            'sed -i \'s/^name = "APACHE"/name = "WEB"\\nkind = "systemd"/; s/"APACHE", //\' '
            "/etc/acmd/acmd.toml",
            "beta does not know the service APACHE",
            where="beta",
        ),
        "a peer of another version": Situation(
            "versions",
            f"cp -p {PACKAGE} /root/; echo '__version__ = \"0.0.9\"' >> {PACKAGE}; systemctl restart acmd",
            "the nodes run different versions: alpha 0.1.0, beta 0.0.9",
            "WARN",
            where="beta",
            mend=f"cp -p /root/__init__.py {PACKAGE}; systemctl restart acmd",
        ),
    }
)
UNFIT = Round(
    {
        "a peer that is not fit": Situation(
            "nodes",
            "systemctl mask mariadb",
            "beta is not fit: ",
            where="beta",
            mend="systemctl unmask mariadb",
        ),
    }
)
LAST_RESORT = Round(
    {
        "no last resort": Situation(
            "guard",
            "sed -i 's/^last_resort = .*/last_resort = \"none\"/' /etc/acmd/acmd.toml; "
            "systemctl restart acmd",
            "last resort: none",
            on="beta",
            mend="sed -i 's/^last_resort = .*/last_resort = \"reset\"/' /etc/acmd/acmd.toml; "
            "systemctl restart acmd",
        ),
    }
)
DOWN = Round(
    {
        "a peer whose daemon is down": Situation(
            "nodes", "systemctl stop acmd", "beta was not heard lately", where="beta"
        ),
        "a daemon that is down": Situation(
            "nodes", "true", "the daemon does not run here", "WARN", on="beta"
        ),
        "a unit that does not run": Situation(
            "units", "true", "acmd.service does not run", "WARN", on="beta"
        ),
    }
)

ROUNDS = {
    "places": PLACES,
    "values": VALUES,
    "files": FILES,
    "tables": TABLES,
    "configured": CONFIGURED,
    "root disk": ROOT_DISK,
    "not mounted": NOT_MOUNTED,
    "refused": REFUSED,
    "guard": GUARD,
    "peer": PEER,
    "unfit": UNFIT,
    "last resort": LAST_RESORT,
    "down": DOWN,
}
