"""The rules for rsyslog and logrotate as the packages have them; a test holds them to `etc/`."""

from __future__ import annotations

LOG = "/var/log/aspera.log"
RSYSLOG = "/etc/rsyslog.d/acmd.conf"
LOGROTATE = "/etc/logrotate.d/acmd"

RSYSLOG_TEXT = f"""\
# What acmd, ACM and Orchestrator log, facility local2, in a file of its own. docs/logging.md
# `-`: written asynchronously. `stop`: kept out of messages and syslog, and of a line for local2 in
# rsyslog.conf that an installation of ACM may have, which would write everything twice.
local2.*    -{LOG}
& stop
"""

LOGROTATE_TEXT = f"""\
# Option C of ACM's manual, a file of its own, by size. docs/logging.md has the others.
# Exactly one rule may name this log.
{LOG}
{{
    size 100M
    rotate 10
    missingok
    notifempty
    compress
    # The newest stays as it is: rsyslog may write to it until it has seen the signal.
    delaycompress
    postrotate
        systemctl kill --signal=HUP --kill-who=main rsyslog.service >/dev/null 2>&1 || true
    endscript
}}
"""
