"""What a refused configuration says, word for word."""

from __future__ import annotations

import pytest

from acmd.config.problems import ConfigRefused, Problem
from tests.unit.configs import loaded, refusal

SERVICE = '[[service]]\nname = "web"\ncommand = ["/usr/bin/web"]\n'

MYSQL = 'services = ["MYSQL"]\n'
UNIT = '[[service]]\nname = "web"\nkind = "systemd"\nunit = "web"\n'
AGENT = '[[service]]\nname = "ip"\nkind = "ocf"\nagent = "ocf:heartbeat:IPaddr2"\n'

CASES = {
    "unknown preset": (
        'services = ["APACHE", "MYSLQ"]\n',
        'acmd.toml:1: services[1] = "MYSLQ": is not a preset; did you mean "MYSQL"?',
    ),
    "preset in small letters": (
        'services = [\n  "apache",\n]\n',
        'acmd.toml:2: services[0] = "apache": is not a preset; did you mean "APACHE"?',
    ),
    "preset like no other": (
        'services = ["web"]\n',
        'acmd.toml:1: services[0] = "web": is not a preset; presets are APACHE, ORCHESTRATOR, MYSQL; a '
        "service of your own is a [[service]] table",
    ),
    "preset twice": (
        'services = ["MYSQL", "MYSQL"]\n',
        'acmd.toml:1: services[1] = "MYSQL": is named twice; name it once',
    ),
    "a failback to nobody": (
        '[failback]\npolicy = "preferred"\n',
        'acmd.toml:2: failback.policy = "preferred": no node is named that is preferred; '
        'set failback.node = "NODE", or failback.policy = "manual"',
    ),
    "services in a section": (
        '[cluster]\nservices = ["MYSQL"]\n',
        'acmd.toml:2: cluster.services = ["MYSQL"]: there is no such option; '
        "write it at the top of the file, before the first [section]",
    ),
    "services that are no list": (
        'services = "MYSQL"\n',
        'acmd.toml:1: services = "MYSQL": must be a list, not a string; write it in brackets: [...]',
    ),
    "unknown preset of a table": (
        '[[service]]\nname = "db"\npreset = "MYSQ"\n',
        'acmd.toml:3: service["db"].preset = "MYSQ": is not a preset; did you mean "MYSQL"?',
    ),
    "two presets for one name": (
        f'{MYSQL}[[service]]\nname = "MYSQL"\npreset = "APACHE"\n',
        'acmd.toml:4: service["MYSQL"].preset = "APACHE": contradicts services, which has MYSQL with the '
        "preset of that name; take MYSQL out of services, or rename this table",
    ),
    "an override of nothing": (
        f'{MYSQL}[[service]]\nname = "MYSQLD"\nstop_timeout_s = 5\n',
        'acmd.toml:3: service["MYSQLD"].name = "MYSQLD": is not the name of an entry of services, and the '
        'table says nothing of what to run; did you mean "MYSQL"?',
    ),
    "an override that is wrong": (
        f'{MYSQL}[[service]]\nname = "MYSQL"\nstop_timeout_s = "5"\n',
        'acmd.toml:4: service["MYSQL"].stop_timeout_s = "5": must be a number, not a string; '
        "write it without quotes: 5",
    ),
    "all requires an active-only preset": (
        'services = ["ORCHESTRATOR", "MYSQL"]\n[[service]]\nname = "ORCHESTRATOR"\nrequires = ["MYSQL"]\n',
        'acmd.toml:4: service["ORCHESTRATOR"].requires[0] = "MYSQL": runs on the active node only, so that '
        "this service could not run on the others; name it under after instead",
    ),
    "a kind that is nearly one": (
        '[[service]]\nname = "web"\nkind = "systmd"\n',
        'acmd.toml:3: service["web"].kind = "systmd": must be one of "command", "systemd", "sysv", "ocf"; '
        'did you mean "systemd"?',
    ),
    "no unit": (
        '[[service]]\nname = "web"\nkind = "systemd"\n',
        'acmd.toml:1: service["web"].unit: is missing; add a line such as unit = "site.service"',
    ),
    "no script": (
        '[[service]]\nname = "web"\nkind = "sysv"\n',
        'acmd.toml:1: service["web"].script: is missing; add a line such as script = "/etc/init.d/legacy"',
    ),
    "no agent": (
        '[[service]]\nname = "web"\nkind = "ocf"\n',
        'acmd.toml:1: service["web"].agent: is missing; add a line such as agent = "ocf:heartbeat:IPaddr2"',
    ),
    "a key of another kind": (
        f'{UNIT}command = ["/usr/bin/web"]\n',
        'acmd.toml:5: service["web"].command = ["/usr/bin/web"]: there is no such option; '
        "it is for services of kind command",
    ),
    "a unit that is a path": (
        '[[service]]\nname = "web"\nkind = "systemd"\nunit = "/etc/web.service"\n',
        'acmd.toml:4: service["web"].unit[0]: cannot be the name of a unit: letters, digits and '
        "':_.\\@-' make one, no path; correct it",
    ),
    "a unit of another kind": (
        '[[service]]\nname = "web"\nkind = "systemd"\nunit = ["web.service", "web.socket"]\n',
        'acmd.toml:4: service["web"].unit[1] = "web.socket": is a unit of kind socket; acmd keeps units of '
        "kind service; correct it",
    ),
    "a template": (
        '[[service]]\nname = "web"\nkind = "systemd"\nunit = ["web@"]\n',
        'acmd.toml:4: service["web"].unit[0] = "web@": is a template: name an instance of it, as in '
        "name@instance.service; correct it",
    ),
    "no units at all": (
        '[[service]]\nname = "web"\nkind = "systemd"\nunit = []\n',
        'acmd.toml:4: service["web"].unit = []: must name a unit; correct it',
    ),
    "acmd itself": (
        '[[service]]\nname = "web"\nkind = "systemd"\nunit = ["acmd-guard"]\n',
        'acmd.toml:4: service["web"].unit[0] = "acmd-guard": is acmd itself; correct it',
    ),
    "one unit for two services": (
        f'{UNIT}[[service]]\nname = "old"\nkind = "sysv"\nscript = "web"\n',
        'acmd.toml:8: service["old"].script = "web": /etc/init.d/web belongs to the service web already; '
        "let one service have it",
    ),
    "a script that is a relative path": (
        '[[service]]\nname = "web"\nkind = "sysv"\nscript = "bin/web"\n',
        'acmd.toml:4: service["web"].script = "bin/web": must be an absolute path, beginning with '
        "'/'; correct it",
    ),
    "an agent's name": (
        '[[service]]\nname = "ip"\nkind = "ocf"\nagent = "heartbeat:IPaddr2"\n',
        'acmd.toml:4: service["ip"].agent = "heartbeat:IPaddr2": is no name of a resource agent, which is '
        "written ocf:PROVIDER:TYPE; correct it",
    ),
    "a secret for an agent": (
        f'{AGENT}parameters = {{ ip = "192.0.2.10", passwd = "hush" }}\n',
        'acmd.toml:5: service["ip"].parameters.passwd = "********": looks like a secret, which must not '
        "stand in this file; write it into a file that only root may read, and name that under "
        "parameter_files",
    ),
    "a parameter twice": (
        f'{AGENT}parameters = {{ ip = "192.0.2.10" }}\nparameter_files = {{ ip = "/etc/ip" }}\n',
        'acmd.toml:5: service["ip"].parameters.ip = "192.0.2.10": stands under parameter_files, too; '
        "take it out of one of them",
    ),
    "the node's address as a virtual one": (
        f'{AGENT}parameters = {{ ip = "192.0.2.11" }}\n[node]\naddress = "192.0.2.11"\n',
        'acmd.toml:5: service["ip"].parameters.ip = "192.0.2.11": 192.0.2.11 is node.address, which this '
        "node has always; an agent would take it away; use an address that no node has of its own",
    ),
    "a parameter that is a number": (
        f"{AGENT}parameters = {{ cidr_netmask = 24 }}\n",
        'acmd.toml:5: service["ip"].parameters.cidr_netmask = 24: must be a string, not a whole number; '
        'write it in quotes: "..."',
    ),
    "a probe of no kind": (
        f"{UNIT}[[service.probe]]\nport = 80\n",
        'acmd.toml:5: service["web"].probe[0].kind: is missing; add one of "tcp", "http", "mysql", "command"',
    ),
    "a probe of a kind that there is not": (
        f'{UNIT}[[service.probe]]\nkind = "https"\n',
        'acmd.toml:6: service["web"].probe[0].kind = "https": must be one of "tcp", "http", "mysql", '
        '"command"; did you mean "http"?',
    ),
    "a probe without a port": (
        f'{UNIT}[[service.probe]]\nkind = "tcp"\n',
        'acmd.toml:5: service["web"].probe[0].port: is missing; add a line such as port = 8080',
    ),
    "a probe's mistyped key": (
        f'{UNIT}[[service.probe]]\nkind = "tcp"\nport = 1\n[[service.probe]]\nkind = "http"\npth = "/"\n',
        'acmd.toml:10: service["web"].probe[1].pth = "/": there is no such option; did you mean path?',
    ),
    "a probe that polls": (
        f'{UNIT}[[service.probe]]\nkind = "tcp"\nport = 1\ninterval_s = 0.5\n',
        'acmd.toml:8: service["web"].probe[0].interval_s = 0.5: must be at least 1; correct it',
    ),
    "a probe before any service": (
        '[[probe]]\nkind = "tcp"\nport = 1\n',
        'acmd.toml:1: probe = [{ kind = "tcp", port = 1 }]: there is no such option; '
        "it belongs into [[service.probe]]",
    ),
    "two probes of one name": (
        f'{UNIT}[[service.probe]]\nkind = "tcp"\nport = 1\n[[service.probe]]\nkind = "http"\nname = "tcp"\n',
        'acmd.toml:10: service["web"].probe["tcp"].name = "tcp": tcp is the name of two probes of this '
        "service; give each a name of its own",
    ),
    "a port that there is not": (
        f'{UNIT}[[service.probe]]\nkind = "tcp"\nport = 65536\n',
        'acmd.toml:7: service["web"].probe[0].port = 65536: must be at most 65535; correct it',
    ),
    "no status would do": (
        f'{UNIT}[[service.probe]]\nkind = "http"\nstatus = []\n',
        'acmd.toml:7: service["web"].probe[0].status = []: no status would do; name one at least, as [200]',
    ),
    "a certificate without TLS": (
        f'{UNIT}[[service.probe]]\nkind = "http"\nverify = true\n',
        'acmd.toml:7: service["web"].probe[0].verify = true: there is no certificate without TLS; '
        "set tls = true",
    ),
    "a header in a path": (
        f'{UNIT}[[service.probe]]\nkind = "http"\npath = "/ x"\n',
        'acmd.toml:7: service["web"].probe[0].path = "/ x": must begin with \'/\' and hold only printable '
        "ASCII characters without spaces; correct it",
    ),
    "a host that is none": (
        f'{UNIT}[[service.probe]]\nkind = "tcp"\nport = 1\nhost = "a b"\n',
        'acmd.toml:8: service["web"].probe[0].host = "a b": must be an IP address or a host\'s name; '
        "correct it",
    ),
    "a password in a probe": (
        f'{UNIT}[[service.probe]]\nkind = "mysql"\npassword = "hush"\n',
        'acmd.toml:7: service["web"].probe[0].password = "********": there is no such option; '
        "did you mean password_file?",
    ),
    "a password of nobody": (
        '[database]\npassword_file = "/etc/acmd/pw"\n',
        'acmd.toml:2: database.password_file = "/etc/acmd/pw": is nobody\'s without user; set user, too',
    ),
    "two ways to log in": (
        f'{UNIT}[[service.probe]]\nkind = "mysql"\ndefaults_file = "/etc/my"\nuser = "me"\n',
        'acmd.toml:7: service["web"].probe[0].defaults_file = "/etc/my": contradicts user and '
        "password_file; name the one or the others",
    ),
    "credentials on shared storage": (
        '[database]\nfile = "/opt/aspera/acm/acmd/database.yml"\n',
        'acmd.toml:2: database.file = "/opt/aspera/acm/acmd/database.yml": '
        "/opt/aspera/acm/acmd/database.yml lies in the cluster's directory, /opt/aspera/acm/acmd, where "
        "whatever uses it hangs when that storage does; use a place outside of it",
    ),
    "nothing to publish": (
        "[publish]\nenabled = true\n",
        "acmd.toml:2: publish.enabled = true: node.address is empty: nothing to publish; set node.address",
    ),
    "a restart of nobody": (
        '[publish]\nservices_to_restart = ["web"]\n',
        'acmd.toml:2: publish.services_to_restart[0] = "web": is not the name of a service; known are none',
    ),
    "a reload of what has none": (
        f'{SERVICE}[publish]\nservices_to_reload = ["web"]\n',
        'acmd.toml:5: publish.services_to_reload[0] = "web": is a service of kind command, which cannot be '
        "reloaded; name it under services_to_restart",
    ),
    "restart and reload": (
        f'{UNIT}[publish]\nservices_to_restart = ["web"]\nservices_to_reload = ["web"]\n',
        'acmd.toml:7: publish.services_to_reload[0] = "web": stands under services_to_restart, too; '
        "take it out of one of them",
    ),
    "tier": (
        '[cluster]\ntier = "a b"\n',
        "acmd.toml:2: cluster.tier = \"a b\": may hold only letters, digits, '.', '_' and '-', and must not "
        "begin with '.' or '-'; correct it",
    ),
    "unknown key": (
        "[timing]\nheartbeat = 1\n",
        "acmd.toml:2: timing.heartbeat = 1: there is no such option; did you mean heartbeat_s?",
    ),
    "unknown section": (
        "[timnig]\nheartbeat_s = 1\n",
        "acmd.toml:1: timnig: there is no such option; did you mean timing?",
    ),
    "key of another section": (
        '[timing]\nlast_resort = "none"\n',
        'acmd.toml:2: timing.last_resort = "none": there is no such option; it belongs into [guard]',
    ),
    "key like no other": (
        "[adoption]\nxyz = 1\n",
        "acmd.toml:2: adoption.xyz = 1: there is no such option; known here are limit",
    ),
    "a number in quotes": (
        '[timing]\nheartbeat_s = "1"\n',
        'acmd.toml:2: timing.heartbeat_s = "1": must be a number, not a string; write it without quotes: 1',
    ),
    "a truth value for a number": (
        "[timing]\nheartbeat_s = true\n",
        "acmd.toml:2: timing.heartbeat_s = true: must be a number, not a truth value; correct it",
    ),
    "a truth value in quotes": (
        '[cluster]\ndevice_id_enforced = "True"\n',
        'acmd.toml:2: cluster.device_id_enforced = "True": must be true or false, not a string; '
        "write it without quotes: true",
    ),
    "a fraction for a whole number": (
        "[adoption]\nlimit = 1.5\n",
        "acmd.toml:2: adoption.limit = 1.5: must be a whole number, not a number; correct it",
    ),
    "a number for a string": (
        "[cluster]\nname = 5\n",
        'acmd.toml:2: cluster.name = 5: must be a string, not a whole number; write it in quotes: "..."',
    ),
    "a string for a list": (
        '[[service]]\nname = "web"\ncommand = "/usr/bin/web"\n',
        'acmd.toml:3: service["web"].command = "/usr/bin/web": must be a list, not a string; '
        "write it in brackets: [...]",
    ),
    "a value for a section": (
        "cluster = 5\n",
        "acmd.toml:1: cluster = 5: must be a table, not a whole number; correct it",
    ),
    "a date": (
        "[cluster]\ndevice_id = 2024-01-01\n",
        "acmd.toml:2: cluster.device_id = 2024-01-01: must be a whole number, not a date; correct it",
    ),
    "not a number": (
        "[timing]\nheartbeat_s = nan\n",
        "acmd.toml:2: timing.heartbeat_s = nan: must be an ordinary number; correct it",
    ),
    "negative": (
        "[timing]\nstop_budget_s = -1\n",
        "acmd.toml:2: timing.stop_budget_s = -1: must be at least 0.001; correct it",
    ),
    "too large": (
        "[hold_down]\nlongest_s = 1e9\n",
        "acmd.toml:2: hold_down.longest_s = 1000000000: must be at most 86400; correct it",
    ),
    "a mistyped watchdog mode": (
        '[guard]\nwatchdog = "requred"\n',
        'acmd.toml:2: guard.watchdog = "requred": must be one of "off", "automatic", "required"; '
        'did you mean "required"?',
    ),
    "a kind of service that there is not": (
        f'{SERVICE}kind = "upstart"\n',
        'acmd.toml:4: service["web"].kind = "upstart": must be one of "command", "systemd", "sysv", '
        '"ocf"; choose one of them',
    ),
    "heartbeat": (
        "[timing]\nheartbeat_s = 3\n",
        "acmd.toml:2: timing.heartbeat_s = 3: 3 x heartbeat_s <= renew_deadline_s does not hold: "
        "3 x 3 s = 9 s, which is more than 6 s; change heartbeat_s or renew_deadline_s",
    ),
    "stop budget": (
        "[timing]\nstop_budget_s = 4\n",
        "acmd.toml:2: timing.stop_budget_s = 4: renew_deadline_s + stop_budget_s <= kill_deadline_s does not "
        "hold: 6 s + 4 s = 10 s, which is more than 9 s; "
        "change renew_deadline_s or stop_budget_s or kill_deadline_s",
    ),
    "kill budget": (
        "[timing]\nkill_budget_s = 1.5\n",
        "acmd.toml:2: timing.kill_budget_s = 1.5: kill_deadline_s + kill_budget_s <= lease_duration_s - "
        "reset_margin_s does not hold: 9 s + 1.5 s = 10.5 s, and 12 s - 2 s, which is more than 10 s; "
        "change kill_deadline_s or kill_budget_s or reset_margin_s or lease_duration_s",
    ),
    "takeover wait": (
        "[timing]\ntakeover_wait_s = 14\n",
        "acmd.toml:2: timing.takeover_wait_s = 14: lease_duration_s x (1 + clock_rate_error) / "
        "(1 - clock_rate_error) <= takeover_wait_s does not hold: 12 s x 1.1 / 0.9 = 14.66666667 s, which is "
        "more than 14 s; change lease_duration_s or takeover_wait_s or clock_rate_error",
    ),
    "clock rate": (
        "[timing]\nclock_rate_error = 0.0834\n",
        "acmd.toml:2: timing.clock_rate_error = 0.0834: must be a multiple of 0.001; "
        "write 0.084, which is the next one above",
    ),
    "address of another host": (
        '[node]\naddress = "192.0.2.99"\n',
        'acmd.toml:2: node.address = "192.0.2.99": is not an address of this host; '
        "this host has 127.0.0.1, 192.0.2.11, 2001:db8::11",
    ),
    "a name for an address": (
        '[node]\naddress = "node-a"\n',
        'acmd.toml:2: node.address = "node-a": must be an IPv4 or IPv6 address, not a name, and '
        "without a prefix "
        "length; correct it",
    ),
    "node name": (
        '[node]\nname = "../a"\n',
        "acmd.toml:2: node.name = \"../a\": may hold only letters, digits, '.', '_' and '-', and "
        "must not begin "
        "with '.' or '-'; correct it",
    ),
    "long name": (
        f'[node]\nname = "{"n" * 33}"\n',
        f'acmd.toml:2: node.name = "{"n" * 33}": is 33 characters long, but at most 32 fit into a '
        "lease record; "
        "correct it",
    ),
    "relative directory": (
        '[cluster]\ndirectory = "acmd"\n',
        "acmd.toml:2: cluster.directory = \"acmd\": must be an absolute path, beginning with '/'; correct it",
    ),
    "the root as directory": (
        '[cluster]\ndirectory = "/"\n',
        'acmd.toml:2: cluster.directory = "/": must not be the root directory; '
        "name the directory on shared storage",
    ),
    "local files on shared storage": (
        '[cluster]\ndirectory = "/shared/acmd"\n[run]\nrun_dir = "/shared/acmd/run"\n[guard]\nsocket '
        '= "/run/g"\n',
        'acmd.toml:4: run.run_dir = "/shared/acmd/run": /shared/acmd/run lies in the cluster\'s directory, '
        "/shared/acmd, where whatever uses it hangs when that storage does; use a place outside of it",
    ),
    "working directory on shared storage": (
        f'{SERVICE}working_directory = "/opt/aspera/acm/acmd/web"\n',
        'acmd.toml:4: service["web"].working_directory = "/opt/aspera/acm/acmd/web": '
        "/opt/aspera/acm/acmd/web lies "
        "in the cluster's directory, /opt/aspera/acm/acmd, where whatever uses it hangs when that "
        "storage does; "
        "use a place outside of it",
    ),
    "a watchdog that may not reset": (
        '[guard]\nwatchdog = "required"\nlast_resort = "none"\n',
        'acmd.toml:2: guard.watchdog = "required": contradicts guard.last_resort = "none": a '
        "watchdog resets the "
        'host; set guard.last_resort = "reset", or guard.watchdog = "off"',
    ),
    "a watchdog that is too slow": (
        "[guard]\nwatchdog_timeout_s = 12\n",
        "acmd.toml:2: guard.watchdog_timeout_s = 12: 12 s does not lie between 0 and "
        "timing.lease_duration_s, 12 s; "
        'write a whole number between them, or set guard.watchdog = "off"',
    ),
    "a long socket path": (
        f'[guard]\nsocket = "/run/{"s" * 103}"\n',
        f'acmd.toml:2: guard.socket = "/run/{"s" * 70} ...: /run/{"s" * 103} is 108 bytes long, but '
        "a socket's path "
        "has at most 107; set guard.socket or run.run_dir to a shorter path",
    ),
    "fencing without an agent": (
        '[fencing]\npolicy = "required"\n',
        'acmd.toml:2: fencing.policy = "required": there is no fence agent that could be asked; '
        'set fencing.agent = ["/path/to/program"], or fencing.policy = "off"',
    ),
    "one plug for every node": (
        '[fencing]\nagent = ["/usr/sbin/fence_apc"]\nparameters = { ip = "192.0.2.9", plug = "7" }\n',
        'acmd.toml:3: fencing.parameters.plug = "7": would be the same for every node: the agent would '
        'confirm that one host is off after it switched off another; write "NODE:plug" for each node',
    ),
    "one board for every node": (
        '[fencing]\nagent = ["/usr/sbin/fence_ipmilan"]\nparameters = { ip = "192.0.2.9" }\n',
        'acmd.toml:3: fencing.parameters.ip = "192.0.2.9": would be the same for every node: the agent would '
        'confirm that one host is off after it switched off another; write "NODE:ip" for each node',
    ),
    "a fence agent with arguments": (
        '[fencing]\nagent = ["/usr/sbin/fence_apc", "--ip=192.0.2.9"]\n',
        'acmd.toml:2: fencing.agent = ["/usr/sbin/fence_apc", "--ip=192.0.2.9"]: /usr/sbin/fence_apc would '
        "not be told whom to fence: with an argument, agents of the package fence-agents read no standard "
        "input; write the arguments as fencing.parameters, in their long form without dashes",
    ),
    "fencing too early": (
        "[fencing]\nsuspect_after_s = 5\n",
        "acmd.toml:2: fencing.suspect_after_s = 5: 5 s is less than timing.renew_deadline_s, 6 s: a "
        "healthy node "
        "would be fenced for a short stall; write 0, or at least 6",
    ),
    "hold-down": (
        "[hold_down]\nfirst_s = 700\n",
        "acmd.toml:1: hold_down.longest_s: 600 s is less than hold_down.first_s, 700 s; write at least 700",
    ),
    "no command": (
        '[[service]]\nname = "web"\n',
        'acmd.toml:1: service["web"].command: is missing; add a line such as '
        'command = ["/usr/local/bin/web", "--port", "8080"]',
    ),
    "empty command": (
        '[[service]]\nname = "web"\ncommand = []\n',
        'acmd.toml:3: service["web"].command = []: must name a program; correct it',
    ),
    "a command to look for": (
        '[[service]]\nname = "web"\ncommand = ["web"]\n',
        'acmd.toml:3: service["web"].command = ["web"]: the program (its first element) must be an '
        "absolute path, "
        "beginning with '/'; correct it",
    ),
    "one name twice": (
        SERVICE + SERVICE,
        'acmd.toml:5: service["web"].name = "web": is the name of two services; give each a name of its own',
    ),
    "after nobody": (
        f'{SERVICE}after = ["db"]\n',
        'acmd.toml:4: service["web"].after[0] = "db": is not the name of a service; known are web',
    ),
    "a circle": (
        f'{SERVICE}after = ["app"]\n[[service]]\nname = "app"\ncommand = ["/usr/bin/app"]\nrequires = '
        '["web"]\n',
        'acmd.toml:4: service["web"].after = ["app"]: app, web wait for one another in a circle; '
        "take one of them out of after or requires",
    ),
    "all requires active": (
        f'{SERVICE}[[service]]\nname = "app"\ncommand = ["/usr/bin/app"]\nruns_on = "all"\nrequires = '
        '["web"]\n',
        'acmd.toml:8: service["app"].requires[0] = "web": runs on the active node only, so that this '
        "service could "
        "not run on the others; name it under after instead",
    ),
    "user": (
        f'{SERVICE}user = "mysql"\n',
        'acmd.toml:4: service["web"].user = "mysql": is not a user of this host; '
        "create it with the same uid on all nodes, or correct the name",
    ),
    "acmd's own variable": (
        f'{SERVICE}environment = {{ ACMD_EPOCH = "1" }}\n',
        'acmd.toml:4: service["web"].environment: ACMD_EPOCH belongs to acmd and cannot be set for a '
        "service; "
        "correct it",
    ),
    "restart budget": (
        f"{SERVICE}[service.restart]\nlongest_backoff_s = 0.5\n",
        'acmd.toml:5: service["web"].restart.longest_backoff_s = 0.5: 0.5 s is less than backoff_s, 1 s; '
        "write at least 1",
    ),
}


@pytest.mark.parametrize(("text", "message"), CASES.values(), ids=CASES.keys())
def test_one_mistake_is_one_line(text: str, message: str) -> None:
    """A single mistake gives a single line with file, line, key, value and what to do."""
    assert refusal(text) == [message]


def test_all_mistakes_are_told_at_once() -> None:
    """Several mistakes are listed together, in the order of the file."""
    lines = refusal('[cluster]\nname = 1\n[log]\nlevel = "loud"\ncolour = true\n')
    assert [line.split(": ")[0] for line in lines] == ["acmd.toml:2", "acmd.toml:4", "acmd.toml:5"]


def test_text_of_several_mistakes() -> None:
    """The message of several mistakes begins with their number."""
    refused = ConfigRefused("f", [Problem("is bad", "mend it", key="a.b"), Problem("is worse", "", line=3)])
    assert str(refused) == "f has 2 mistakes:\nf: a.b: is bad; mend it\nf:3: is worse"


def test_secrets_are_masked_in_messages() -> None:
    """A refused value that looks like a secret is not shown."""
    lines = refusal(
        '[[service]]\nname = "w"\ncommand = ["w", "--password=hush"]\nenvironment = { PASSWORD = 7 }\n'
    )
    assert "hush" not in "".join(lines)
    assert lines[1].startswith(
        'acmd.toml:4: service["w"].environment.PASSWORD = "********": must be a string'
    )


def test_a_host_without_a_usable_name_needs_one() -> None:
    """The default node name is held to the same rules, and localhost names nobody."""
    assert refusal("", hostname="localhost") == [
        'acmd.toml: node.name: the host\'s name, "localhost", names every host; '
        "give the host a name of its own, or set node.name"
    ]
    assert "must not be empty" in refusal("", hostname="")[0]
    assert loaded('[node]\nname = "a"\n', hostname="localhost").config.node.name == "a"


SYNTAX = {
    "key without value": ("a\n", "acmd.toml:1: column 2: expected '=' after a key in a key/value pair"),
    "twice": (
        "[log]\nlevel = 'info'\nlevel = 'info'\n",
        "acmd.toml:3: column 15: what stands here was given further up already; take one of the two out",
    ),
    "a table twice": (
        "[log]\n[node]\n[log]\n",
        "acmd.toml:3: column 5: the table [log] stands further up already; write all of it in one place",
    ),
    "a number without end": ("a = " + "9" * 5000, "acmd.toml: a number has thousands of digits; no option"),
    "unclosed": ('[log]\nlevel = "info', "acmd.toml: unterminated string"),
    "deep": ("a = " + "[" * 5000, "acmd.toml"),  # the words depend on Python's version
}


@pytest.mark.parametrize(("text", "message"), SYNTAX.values(), ids=SYNTAX.keys())
def test_what_is_not_toml_is_refused_with_its_place(text: str, message: str) -> None:
    """A syntax error names line and column as far as they are known."""
    (line,) = refusal(text)
    assert line.startswith(message)
