#!/bin/sh
# Two nodes without fencing, as it is commonly done although "Clusters from Scratch" (ClusterLabs) warns of it:
# stonith-enabled=false; no-quorum-policy=ignore is what guides for two nodes add. Stickiness 1 is what pcs sets.
# The monitor every 10 s is the interval that most agents' meta-data advise.
set -e
crm_attribute --type crm_config --name stonith-enabled --update false
crm_attribute --type crm_config --name no-quorum-policy --update ignore
crm_attribute --type rsc_defaults --name resource-stickiness --update 1
cibadmin --create --scope resources --xml-text '
<primitive id="witness" class="systemd" type="witness">
  <operations><op id="witness-monitor" name="monitor" interval="10s" timeout="100s"/></operations>
</primitive>'
